package rabbitbroker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"flowbench/flows"
)

// settled returns what a waiter was told, or fails if it was told nothing.
func settled(t *testing.T, w *waiter) error {
	t.Helper()
	select {
	case err := <-w.done:
		return err
	default:
		t.Fatal("a publish was told nothing")
		return nil
	}
}

func TestEachNoticeOfTheBrokerSettlesItsPublish(t *testing.T) {
	l := &ledger{waiting: make(map[uint64]*waiter)}
	returns, confirms := make(chan amqp.Return), make(chan amqp.Confirmation)
	ended := make(chan struct{})
	go func() {
		l.run(returns, confirms)
		close(ended)
	}()
	waiters := make([]*waiter, 5)
	for i := range waiters {
		waiters[i] = &waiter{id: writeID(uint64(i)), key: "k", done: make(chan error, 1)}
		if !l.add(uint64(i)+1, waiters[i]) {
			t.Fatalf("publish %d came too late; want it entered", i)
		}
	}
	confirms <- amqp.Confirmation{DeliveryTag: 1, Ack: true}
	returns <- amqp.Return{MessageId: "1", RoutingKey: "k"}
	returns <- amqp.Return{MessageId: "3", RoutingKey: "another"}
	confirms <- amqp.Confirmation{DeliveryTag: 2, Ack: true}
	confirms <- amqp.Confirmation{DeliveryTag: 3, Ack: false}
	confirms <- amqp.Confirmation{DeliveryTag: 4, Ack: true}
	confirms <- amqp.Confirmation{DeliveryTag: 99, Ack: true}
	close(returns)
	close(confirms)
	<-ended
	for i, want := range []struct {
		outcome flows.Outcome
		class   flows.Class
	}{
		{flows.OK, ""}, {flows.Failed, flows.NoResponders}, {flows.Undecided, flows.Rejected},
		{flows.OK, ""}, {flows.Undecided, flows.Disconnected},
	} {
		if o, c := flows.OutcomeOf(settled(t, waiters[i])); o != want.outcome || c != want.class {
			t.Errorf("publish %d: got %v, %q; want %v, %q", i, o, c, want.outcome, want.class)
		}
	}
	if l.add(6, waiters[0]) {
		t.Error("a publish was entered after the channel had closed; want it refused")
	}
}

func TestAChannelThatTakesNothingAnyMoreIsRenewed(t *testing.T) {
	start := time.Now()
	after := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, tt := range []struct {
		about string
		limit time.Duration
		taken []bool // one every 100 ms
		want  int    // the number of the confirm at which it is renewed first; -1 for never
	}{
		{"all is taken", 300 * time.Millisecond, []bool{true, true, true, true, true, true}, -1},
		{"nothing is taken for as long as may be", 300 * time.Millisecond, []bool{true, false, false, false, false}, 4},
		{"something is taken in between", 300 * time.Millisecond, []bool{false, false, true, false, false, false}, -1},
		{"nothing is taken, and that may be so for ever", 0, []bool{false, false, false, false, false, false}, -1},
	} {
		r, got := refusals{limit: tt.limit}, -1
		for i, ack := range tt.taken {
			if r.note(ack, after(i*100)) && got < 0 {
				got = i
			}
		}
		if got != tt.want {
			t.Errorf("%s: renewed at confirm %d; want %d", tt.about, got, tt.want)
		}
	}
}

func TestPropertiesCarryEveryField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(1, 4), rapid.Uint64())
		m := flows.Message{
			Subject: "s", ID: id.Draw(t, "id"), Correlation: id.Draw(t, "correlation"), Op: id.Draw(t, "op"),
			Kind: flows.Kind(rapid.IntRange(0, 2).Draw(t, "kind")), Key: rapid.String().Draw(t, "key"),
			Status: flows.Status(rapid.IntRange(0, 2).Draw(t, "status")), ReplyTo: rapid.String().Draw(t, "reply"),
		}
		p := encode(m)
		got := decode("s", &amqp.Delivery{
			MessageId: p.MessageId, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, Type: p.Type,
			Headers: p.Headers,
		})
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("decoded from %+v (-want +got):\n%s", p, diff)
		}
	})
}

func TestACoalescerKeepsTheOrderOfBytes(t *testing.T) {
	near, far := net.Pipe()
	w := newCoalescer(near, time.Second)
	var want bytes.Buffer
	for i := range 2000 {
		want.Write(bytes.Repeat([]byte{byte(i)}, i%7+1))
	}
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, want.Len())
		_, _ = io.ReadFull(far, b) // short if it went wrong
		got <- b
	}()
	for i := range 2000 {
		if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, i%7+1)); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	if !bytes.Equal(<-got, want.Bytes()) {
		t.Error("the bytes arrived in another order; want that of the writes")
	}
	if err := errors.Join(w.Close(), far.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close returned %v; want closed", err)
	}
}

func TestAWriterThatWaitsForSpaceLearnsOfTheEnd(t *testing.T) {
	near, far := net.Pipe() // nobody reads from far
	w := newCoalescer(near, time.Second)
	defer func() { _ = far.Close() }()
	ended := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, coalesceMaxBytes))
		}
		ended <- err
	}()
	_ = w.Close() // the write under way ends with it
	if err := <-ended; !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the writer was told %v; want that the connection is closed", err)
	}
}

func TestABlockedBrokerHoldsPublishersBackUntilTheirTimeIsOver(t *testing.T) {
	e := &epoch{over: make(chan struct{})}
	if err := e.admit(t.Context()); err != nil {
		t.Fatalf("admit: %v", err)
	}
	e.block(true)
	admitted := make(chan error, 1)
	go func() { admitted <- e.admit(t.Context()) }()
	e.block(false)
	if err := <-admitted; err != nil {
		t.Errorf("admit after the broker was unblocked returned %v; want nil", err)
	}
	e.block(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o, c := flows.OutcomeOf(e.admit(ctx)); o != flows.Failed || c != flows.Overloaded {
		t.Errorf("admit out of time: got %v, %q; want failed, overloaded", o, c)
	}
	close(e.over)
	if o, c := flows.OutcomeOf(e.admit(t.Context())); o != flows.Failed || c != flows.Unreachable {
		t.Errorf("admit when the connection is lost: got %v, %q; want failed, unreachable", o, c)
	}
}

func TestOnlyWhatTheServerObjectsToIsNoEndOfAConnection(t *testing.T) {
	for err, want := range map[error]bool{
		amqp.ErrClosed: true,
		&amqp.Error{Code: amqp.FrameError, Reason: "read tcp: use of closed network connection"}: true,
		&net.OpError{Op: "write", Err: syscall.EPIPE}:                                            true,
		&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}:                                    false,
		&amqp.Error{Code: amqp.NotFound, Server: true}:                                           false,
		io.ErrShortBuffer: false,
	} {
		if got := isEnd(fmt.Errorf("cancel: %w", err)); got != want {
			t.Errorf("%v (%T) is the end of a connection: %v; want %v", err, err, got, want)
		}
	}
}
