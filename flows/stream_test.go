package flows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

const (
	large    = 100_000 // bytes
	perChunk = 1000
)

func carriage() flows.Carriage {
	return flows.Carriage{
		Mode: flows.Stream, Over: 2000, ChunkBytes: perChunk, Window: 8, Buffer: 4 * large,
		Stall: 20 * ms, Abandon: 400 * ms,
	}
}

// payload returns bytes that differ from those of every other operation.
func payload(op uint64, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(uint64(i)*31 + uint64(i>>8)*7 + op)
	}
	return b
}

// A stage is a world in which payloads travel as streams.
type stage struct {
	t        *testing.T
	kernel   *des.Kernel
	carriage flows.Carriage
	params   broker.Params
	faults   []modelbroker.Fault
	settings flows.Settings
	told     map[flows.CarryingEvent]int
	session  broker.Session
	service  *reader
	clients  []flows.Client
	strays   int
}

func newStage(t *testing.T) *stage {
	k := des.New()
	s := &stage{
		t: t, kernel: k, carriage: carriage(), params: broker.Params{}, settings: settings(),
		told: make(map[flows.CarryingEvent]int),
	}
	s.settings.Timeout = 2 * time.Second
	s.service = &reader{kernel: k, applied: make(map[uint64][]byte)}
	return s
}

// play runs body in the world, with two clients of the flow, and takes it down.
func (s *stage) play(flow flows.Flow, body func(ctx context.Context)) {
	s.t.Helper()
	s.carriage.Tell = func(c flows.Carrying) {
		s.told[c.Event]++
		if c.Event == flows.Sent && s.service.firstByte == 0 {
			s.service.sentBefore++
		}
	}
	err := s.kernel.Run(s.t.Context(), func(ctx context.Context) {
		if err := s.live(ctx, flow, body); err != nil {
			s.t.Error(err)
		}
	})
	if err != nil {
		s.t.Error(err)
	}
}

func (s *stage) live(ctx context.Context, flow flows.Flow, body func(ctx context.Context)) error {
	d := modelbroker.Driver(s.kernel, 1, s.faults...)
	params := d.Defaults()
	maps.Copy(params, s.params)
	quiet := slog.New(slog.DiscardHandler)
	session, err := d.Open(ctx, broker.Config{
		Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {}, Log: quiet,
	})
	if err != nil {
		return err
	}
	s.session = session
	env := flows.Env{
		Runtime: s.kernel, Broker: session, Edge: &toyEdge{kernel: s.kernel}, Service: s.service,
		Settings: s.settings, Log: quiet, Stray: func(uint64) { s.strays++ }, Heard: func(uint64, int) {},
	}
	streamed := flows.Streamed(flow, s.carriage)
	server, err := streamed.Listen(ctx, env)
	if err != nil {
		return err
	}
	life, stop := s.kernel.WithCancel(ctx)
	defer stop()
	var served error
	ended := s.kernel.Go(life, func(ctx context.Context) { served = server.Serve(ctx) })
	for id := range clients {
		c, err := streamed.Dial(life, env, id)
		if err != nil {
			return err
		}
		s.clients = append(s.clients, c)
	}
	body(ctx)
	for _, c := range s.clients {
		err = errors.Join(err, c.Close())
	}
	stop()
	return errors.Join(err, ended(ctx), served, session.Close(ctx))
}

// do has a client perform an operation and returns it with its error.
func (s *stage) do(ctx context.Context, client int, id uint64, kind flows.Kind, size int) (*flows.Op, error) {
	var body []byte
	if kind == flows.Command {
		body = payload(id, size)
	}
	op := flows.NewOp(s.kernel, id, kind, "k1", body)
	op.Reach(flows.Started)
	ctx, cancel := s.kernel.WithTimeout(ctx, s.settings.Timeout)
	defer cancel()
	err := s.clients[client].Do(ctx, op)
	return op, err
}

// reader is a service that reads the bodies of requests as they come, and answers
// with as many bytes.
type reader struct {
	kernel     *des.Kernel
	applied    map[uint64][]byte
	times      int
	crashes    int           // of those to come, half way through the body
	pause      time.Duration // after each read
	firstByte  time.Duration
	sentBefore int // chunks sent before the first byte was read
	lost       int
	dealt      int
	denied     []uint64
}

// Handle implements [flows.Service].
func (s *reader) Handle(ctx context.Context, _ int, r flows.Request) (flows.Response, error) {
	if r.Kind == flows.StatusOf {
		body, ok := s.applied[r.ID]
		if !ok {
			return flows.Response{Status: flows.Pending}, nil
		}
		return flows.Response{Body: answerOf(body)}, nil
	}
	if r.Kind == flows.Query {
		return flows.Response{Body: payload(r.ID, large)}, nil
	}
	body, err := s.read(ctx, r)
	switch {
	case errors.Is(err, flows.ErrStreamLost):
		s.lost++
		s.denied = append(s.denied, r.ID)
		return flows.Response{Status: flows.Denied}, nil
	case errors.Is(err, flows.ErrStreamDealt):
		s.dealt++
		return flows.Response{}, err
	case err != nil:
		return flows.Response{}, err
	}
	s.times++
	s.applied[r.ID] = body
	return flows.Response{Body: answerOf(body)}, nil
}

func answerOf(body []byte) []byte {
	b := bytes.Clone(body)
	slices.Reverse(b)
	return b
}

var errCrash = errors.New("the instance has crashed")

func (s *reader) read(ctx context.Context, r flows.Request) ([]byte, error) {
	if r.Stream == nil {
		return r.Body, nil
	}
	var body []byte
	for p := make([]byte, 777); ; {
		n, err := r.Stream.Read(p)
		body = append(body, p[:n]...)
		if n > 0 && s.firstByte == 0 {
			s.firstByte = s.kernel.Now()
		}
		if s.crashes > 0 && len(body) > large/2 {
			s.crashes--
			return nil, errCrash
		}
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, err
		}
		if s.pause > 0 {
			if err := s.kernel.Sleep(ctx, s.pause); err != nil {
				return nil, err
			}
		}
	}
}

// toyEdge passes calls on after a pause, streams included.
type toyEdge struct {
	kernel *des.Kernel
	parts  map[string][]flows.Endpoint
	calls  int
}

// Listen implements [flows.Edge].
func (e *toyEdge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	if e.parts == nil {
		e.parts = make(map[string][]flows.Endpoint)
	}
	e.parts[name] = backends
	return untilDone{e.kernel}, nil
}

// Dial implements [flows.Edge].
func (e *toyEdge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	return toyCaller{e, e.parts[name]}, nil
}

type untilDone struct{ kernel *des.Kernel }

// Serve implements [flows.Server].
func (s untilDone) Serve(ctx context.Context) error {
	_, _ = s.kernel.Promise().Wait(ctx)
	return nil
}

type toyCaller struct {
	edge     *toyEdge
	backends []flows.Endpoint
}

func (toyCaller) Close() error { return nil }

// Call implements [flows.Caller].
func (c toyCaller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	return func(yield func(flows.Answer, error) bool) {
		if err := c.edge.kernel.Sleep(ctx, hop); err != nil {
			yield(flows.Answer{}, err)
			return
		}
		if len(call.Body) > carriage().Over {
			yield(flows.Answer{}, fmt.Errorf("a body of %d bytes came in one piece", len(call.Body)))
			return
		}
		c.edge.calls++
		for a, err := range c.backends[c.edge.calls%len(c.backends)](ctx, call) {
			if !yield(a, err) {
				return
			}
		}
	}
}

// carried returns the flows whose payloads can be carried.
func carried() (list []flows.Flow) {
	for _, f := range flows.All() {
		if carriage().Carries(f.Spec()) {
			list = append(list, f)
		}
	}
	return list
}

func TestLargePayloadsArriveEqualInEveryFlowThatCanBeCarried(t *testing.T) {
	brokers := map[string]broker.Params{
		"at least once": {}, "durable": {"durable": "yes", "dedup_ms": "60000", "order": "urgent-first"},
		"at most once": {"delivery": "at-most-once", "confirm": "none"},
	}
	if len(carried()) < 8 {
		t.Fatalf("only %d flows are carried", len(carried()))
	}
	for name, params := range brokers {
		for _, flow := range carried() {
			t.Run(name+"/"+flow.Spec().Name, func(t *testing.T) {
				s := newStage(t)
				s.params = params
				s.play(flow, func(ctx context.Context) {
					for id, size := range []int{10, large, large + 1, 2000, 2001, 3*perChunk - 1} {
						op, err := s.do(ctx, id%clients, uint64(id+1), flows.Command, size)
						if err != nil {
							t.Errorf("command of %d bytes: %v", size, err)
						}
						_ = s.kernel.Sleep(ctx, 100*ms)
						if got := s.service.applied[op.ID]; !bytes.Equal(got, op.Body) {
							t.Errorf("command of %d bytes: %d bytes arrived, or others", size, len(got))
						}
						if op.At(flows.Answered) > 0 && !bytes.Equal(op.Answer, answerOf(op.Body)) {
							t.Errorf("command of %d bytes: the answer has %d bytes, or others", size, len(op.Answer))
						}
					}
					op, err := s.do(ctx, 0, 99, flows.Query, 0)
					if err != nil || !bytes.Equal(op.Answer, payload(99, large)) {
						t.Errorf("query: got %d bytes, %v", len(op.Answer), err)
					}
					_ = s.kernel.Sleep(ctx, 100*ms) // until the last sender knows
				})
				if s.service.times != 6 || s.strays > 0 || s.told[flows.Abandoned] > 0 {
					t.Errorf("%d commands applied, %d strays, %v", s.service.times, s.strays, s.told)
				}
			})
		}
	}
}

func readAll(m flows.Message) ([]byte, error) {
	if m.Stream == nil {
		return m.Body, errors.New("the body is no stream")
	}
	return io.ReadAll(m.Stream)
}

func isDealt(err error) bool { return errors.Is(err, flows.ErrStreamDealt) }
