package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flowbench/flows"
)

// An arrival is the payload of a request, as it came.
type arrival struct {
	op          uint64 // that the payload was made for
	intact      bool
	bytes       int64
	body        []byte // nil for a payload that came as a stream
	first, last time.Duration
}

// pieceBytes is how much of a stream is read at once.
const pieceBytes = 64 << 10

// receive takes in the payload of a request, and waits for it if it is still on
// its way. The service can begin with the first byte; all that this one does with
// what it has so far is to check it.
func (s *Service) receive(ctx context.Context, r flows.Request) (arrival, error) {
	if r.Stream == nil {
		now := s.runtime.Now()
		a := arrival{body: r.Body, bytes: int64(len(r.Body)), first: now, last: now}
		if r.Kind == flows.Command {
			a.op, a.intact = CheckPayload(r.Body)
		}
		return a, nil
	}
	in := intake{ctx: ctx, runtime: s.runtime}
	buf := s.pieces.Get().(*[pieceBytes]byte)
	defer s.pieces.Put(buf)
	if _, err := io.CopyBuffer(&in, r.Stream, buf[:]); err != nil {
		return in.arrival, fmt.Errorf("receive payload: %w", err)
	}
	in.bytes = in.check.bytes
	in.op, in.intact = in.check.judge()
	return in.arrival, nil
}

// An intake looks at the payload of a request while it comes.
type intake struct {
	arrival

	ctx     context.Context // of the request
	runtime flows.Runtime
	check   payloadCheck
}

// Write implements [io.Writer]. It keeps nothing of p.
func (in *intake) Write(p []byte) (int, error) {
	if in.last = in.runtime.Now(); in.first == 0 {
		in.first = in.last
	}
	in.check.take(p)
	return len(p), in.ctx.Err()
}

// missed says what becomes of a command whose payload did not come. If it may
// still come, it is not dealt with, and the error says so; if it certainly will
// not, nobody can do the command any more: it has been done before, or it is
// refused for good. It is decided under the key's lock, since another delivery of
// the same command may just have got the payload.
func (s *Service) missed(instance int, r flows.Request, err error) (flows.Response, error) {
	outcome, _ := flows.OutcomeOf(err)
	if outcome != flows.Failed && !errors.Is(err, flows.ErrStreamLost) {
		return flows.Response{}, err
	}
	key, _ := s.key(r.Key)
	v := &s.state[key]
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.done(r.ID) {
		s.config.Applied(s.repeated(instance, r.ID))
		return receipt(r.ID), nil
	}
	return s.refuse(instance, r), nil
}

// denied reports whether a command has been refused, as far back as the service
// remembers.
func (s *Service) denied(op uint64) bool {
	status, ok := s.known.get(op)
	return ok && status == flows.Denied
}
