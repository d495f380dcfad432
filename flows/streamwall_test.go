package flows_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/broker/membroker"
)

// quickService answers with what it was sent.
type quickService struct {
	mu      sync.Mutex
	applied map[uint64]int
}

// Handle implements [flows.Service].
func (s *quickService) Handle(_ context.Context, _ int, r flows.Request) (flows.Response, error) {
	body := r.Body
	if r.Stream != nil {
		var err error
		if body, err = io.ReadAll(r.Stream); err != nil {
			return flows.Response{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied[r.ID]++
	return flows.Response{Body: body}, nil
}

// TestStreamsRunOnTheWallClock runs many streams at once on real goroutines, for the
// race detector.
func TestStreamsRunOnTheWallClock(t *testing.T) {
	defer goleak.VerifyNone(t)
	d := membroker.Driver()
	runStreams(t, d, nil, 16)
}

func runStreams(t *testing.T, d broker.Driver, addresses []string, each uint64) {
	t.Helper()
	wall := sim.NewWall()
	defer wall.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	session, err := d.Open(ctx, broker.Config{
		Prefix: "streamtest", Params: d.Defaults(), Meter: &broker.Meter{}, Notify: func(broker.Event) {},
		Log: slog.New(slog.DiscardHandler), Addresses: addresses, Dial: (&net.Dialer{}).DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	service := &quickService{applied: make(map[uint64]int)}
	env := flows.Env{
		Runtime: wall, Broker: session, Service: service, Settings: settings(), Log: slog.New(slog.DiscardHandler),
		Stray: func(op uint64) { t.Errorf("stray answer to %d", op) },
	}
	c := carriage()
	c.Stall, c.Abandon = 200*time.Millisecond, 10*time.Second
	flow := flows.Streamed(flows.Async{Reply: flows.ReplyTo}, c)
	server, err := flow.Listen(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	life, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(life) }()
	var wg sync.WaitGroup
	var all []flows.Client
	for id := range clients {
		client, err := flow.Dial(life, env, id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, client)
		for n := range each {
			wg.Go(func() {
				op := flows.NewOp(wall, uint64(id)*1000+n+1, flows.Command, "k", payload(n, int(n)*large/8))
				if err := client.Do(ctx, op); err != nil || !bytes.Equal(op.Answer, op.Body) {
					t.Errorf("command of %d bytes: the answer has %d, or others: %v", len(op.Body), len(op.Answer), err)
				}
			})
		}
	}
	wg.Wait()
	for _, client := range all {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := session.Close(ctx); err != nil {
		t.Error(err)
	}
	if len(service.applied) != int(each)*clients {
		t.Errorf("%d commands were applied; want %d", len(service.applied), int(each)*clients)
	}
}
