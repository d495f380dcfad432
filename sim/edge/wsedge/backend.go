package wsedge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"flowbench/flows"
	"flowbench/sim/edge/socket"
)

// A backend serves an endpoint over sockets.
type backend struct{ *socket.Server[uint64] }

func newBackend(e flows.Endpoint, b socket.Bounds, log *slog.Logger) backend {
	return backend{socket.NewServer(socket.Protocol[uint64]{
		Open: func(s *socket.Session[uint64]) func([]byte) { return session{e, s}.take },
	}, b, log)}
}

// ServeHTTP implements [http.Handler].
func (b backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != path {
		http.NotFound(w, r)
		return
	}
	b.Server.ServeHTTP(w, r)
}

// A session is the server's end of a socket.
type session struct {
	endpoint flows.Endpoint
	*socket.Session[uint64]
}

// take acts on a message.
func (s session) take(message []byte) {
	var m asked
	if err := json.Unmarshal(message, &m); err != nil {
		s.Drop(socket.Malformed, "a message is no JSON object of the protocol")
		return
	}
	if m.Verb == verbCancel {
		s.TakeBack(m.N)
		return
	}
	c, err := m.call()
	if limit := s.Bounds().Body; err == nil && int64(len(m.Body)) > limit {
		err = flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", limit))
	}
	if err == nil {
		err = s.Run(m.N, func(ctx context.Context, under *socket.Call[uint64]) {
			if c.Verb == flows.Watch {
				s.watch(ctx, under, m.N, c)
			} else {
				s.answer(ctx, under, m.N, c)
			}
		})
	}
	if errors.Is(err, socket.ErrTaken) {
		err = flows.Fail(flows.Rejected, fmt.Errorf("call %d is under way", m.N))
	}
	if err != nil {
		s.Send(appendError(nil, m.N, err))
	}
}

// answer asks the endpoint and sends what it says.
func (s session) answer(ctx context.Context, under *socket.Call[uint64], n uint64, c flows.Call) {
	answer, err := flows.Answer{}, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer"))
	for answer, err = range s.endpoint(ctx, c) {
		break
	}
	if !under.Claim() {
		return
	}
	if err == nil {
		err = s.tooLarge(answer)
	}
	if err != nil {
		s.Reply(appendError(nil, n, err))
		return
	}
	s.Reply(writeAnswer(n, answer))
}

// watch asks the endpoint and sends all that it says, until it or the client
// ends that.
func (s session) watch(ctx context.Context, under *socket.Call[uint64], n uint64, c flows.Call) {
	if c.Kind == flows.Query {
		under.Live()
	}
	var failed error
	for answer, err := range s.endpoint(ctx, c) {
		if failed = err; err == nil {
			failed = s.tooLarge(answer)
		}
		if failed == nil {
			failed = s.Push(ctx, writeAnswer(n, answer))
		}
		if failed != nil {
			break
		}
	}
	if failed == nil {
		failed = ctx.Err() // an endpoint that is told to end may do so without a word
	}
	if !under.Claim() {
		return
	}
	if failed != nil {
		s.Send(appendError(nil, n, failed))
		return
	}
	s.Send(appendEnd(nil, n))
}

// tooLarge returns the error of an answer that is over the limit.
func (s session) tooLarge(a flows.Answer) error {
	if limit := s.Bounds().Body; int64(len(a.Body)) > limit {
		return flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", limit))
	}
	return nil
}

func writeAnswer(n uint64, a flows.Answer) []byte {
	return appendAnswer(make([]byte, 0, len(a.Body)*4/3+64), n, a)
}
