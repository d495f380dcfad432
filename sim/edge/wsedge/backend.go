package wsedge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// A backend serves an endpoint over sockets.
type backend struct{ *socket.Server[uint64] }

func newBackend(e flows.Endpoint, b socket.Bounds, log *slog.Logger) backend {
	return backend{socket.NewServer(socket.Protocol[uint64]{
		Open:   func(s *socket.Session[uint64]) func([]byte) { return session{e, s}.take },
		Frames: true,
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
	if limit := s.Bounds().Body; err == nil && max(int64(len(m.Body)), c.StreamBytes) > limit {
		err = edge.OverLimit(limit)
	}
	if err == nil {
		err = s.Run(m.N, func(ctx context.Context, under *socket.Call[uint64]) {
			if said := s.asking(ctx, m, c); c.Verb == flows.Watch {
				s.watch(ctx, under, m.N, c.Kind, said)
			} else {
				s.answer(under, m.N, said)
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

// asking returns what the endpoint says to a call. A body that comes in frames is over
// when it has said it, so that frames that come after the answer are for nobody.
func (s session) asking(ctx context.Context, m asked, c flows.Call) iter.Seq2[flows.Answer, error] {
	if m.Stream == nil || !m.takes() {
		return s.endpoint(ctx, c)
	}
	return func(yield func(flows.Answer, error) bool) {
		body, stop := s.Receive(ctx, m.N, c.StreamBytes, func(bytes int64) {
			s.Send(appendCredit(nil, m.N, bytes))
		})
		defer stop()
		c.Stream = body
		s.endpoint(ctx, c)(yield)
	}
}

// answer sends the first that the endpoint says.
func (s session) answer(under *socket.Call[uint64], n uint64, said iter.Seq2[flows.Answer, error]) {
	answer, err := flows.Answer{}, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer"))
	for answer, err = range said {
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

// watch sends all that the endpoint says, until it or the client ends that.
func (s session) watch(
	ctx context.Context, under *socket.Call[uint64], n uint64, kind flows.Kind, said iter.Seq2[flows.Answer, error],
) {
	if kind == flows.Query {
		under.Live()
	}
	var failed error
	for answer, err := range said {
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
