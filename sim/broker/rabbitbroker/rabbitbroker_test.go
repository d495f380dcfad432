package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// address returns where RabbitMQ is. Without one, tests are skipped, except
// where there has to be one.
func address(t testing.TB) string {
	t.Helper()
	a := os.Getenv("FLOWBENCH_TEST_RABBITMQ_URL")
	if a == "" {
		a = "amqp://guest:guest@127.0.0.1:5672/"
	}
	u, err := url.Parse(a)
	if err != nil {
		t.Fatal("FLOWBENCH_TEST_RABBITMQ_URL is not a URL")
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no RabbitMQ: %v", err)
		}
		t.Skipf("no RabbitMQ: %v", err)
	}
	_ = c.Close() // it was only to see
	return a
}

func TestRabbitMQConforms(t *testing.T) {
	a := address(t)
	for _, params := range []broker.Params{
		{"queue": "quorum", "reply": "direct"},
		{"queue": "classic", "reply": "queue"},
		{"queue": "classic", "reply": "direct", "max_priority": "1"},
	} {
		t.Run(params["queue"]+" and "+params["reply"]+" "+params["max_priority"], func(t *testing.T) {
			brokertest.Test(t, brokertest.Bench{
				Driver: Driver(), Addresses: []string{a}, Params: params,
				Leftovers: func(t *testing.T, prefix string) []string { return leftovers(t, a, prefix) },
			})
		})
	}
}

// leftovers looks for the queues that the suite's case makes: AMQP cannot list.
func leftovers(t *testing.T, a, prefix string) (found []string) {
	t.Helper()
	c, err := amqp.Dial(a)
	if err != nil {
		t.Fatal("cannot connect to look for leftovers")
	}
	defer func() { _ = c.Close() }()
	names := []string{prefix + ".group.g.left"}
	for i := range 4 {
		names = append(names, fmt.Sprint(prefix, ".own.", i))
	}
	for _, name := range names {
		ch, err := c.Channel()
		if err != nil {
			t.Fatalf("open channel: %v", err)
		}
		_, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
		var told *amqp.Error
		if !errors.As(err, &told) || told.Code != amqp.NotFound {
			found = append(found, name)
		}
		_ = ch.Close() // the broker has closed it if the queue is not there
	}
	return found
}

func config(a string, notify func(broker.Event)) broker.Config {
	var d net.Dialer
	return broker.Config{
		Addresses: []string{a}, Prefix: fmt.Sprintf("fbtest-%x", time.Now().UnixNano()),
		Params: Driver().Defaults(), Dial: d.DialContext, Meter: &broker.Meter{}, Notify: notify,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func TestRefusalsAreShortAndShowNoCredentials(t *testing.T) {
	u, err := url.Parse(address(t))
	if err != nil {
		t.Fatal("the address is not a URL")
	}
	right := u.User
	for name, change := range map[string]func(){
		"a wrong password":         func() { u.User = url.UserPassword("planted-user", "planted-secret") },
		"a virtual host not there": func() { u.User, u.Path = right, "/planted-secret" },
	} {
		t.Run(name, func(t *testing.T) {
			change()
			_, err := Driver().Open(t.Context(), config(u.String(), func(broker.Event) {}))
			if o, c := flows.OutcomeOf(err); o != flows.Failed || c != flows.Rejected {
				t.Errorf("outcome is %v, %v; want failed, rejected", o, c)
			}
			if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), u.Host) {
				t.Errorf("the error is %v; want one that names %s and nothing else of the address", err, u.Host)
			}
		})
	}
}

func TestHeartbeatsAreAsTheParameterSays(t *testing.T) {
	cfg := config(address(t), func(broker.Event) {})
	cfg.Params["heartbeat_s"] = "7"
	l, err := dial(t.Context(), cfg, 0, "one")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer l.drop()
	if got := l.conn.Config.Heartbeat; got != 7*time.Second {
		t.Errorf("heartbeats come every %v; want 7s", got)
	}
}

func TestTheNextAddressServesWhenOneDoesNot(t *testing.T) {
	a := address(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	nobody := l.Addr().String()
	_ = l.Close() // from here on it refuses
	cfg := config(a, func(broker.Event) {})
	cfg.Addresses = []string{"amqp://" + nobody, a}
	s, err := Driver().Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	c, err := s.Connect(t.Context(), "one")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	if err := errors.Join(c.Close(), s.Close(t.Context())); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestAConsumerWhoseQueueIsDeletedGetsItBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a := address(t)
	back := make(chan struct{}, 1)
	cfg := config(a, func(e broker.Event) {
		if e.Kind == broker.Reconnected {
			back <- struct{}{}
		}
	})
	s, err := Driver().Open(ctx, cfg)
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	c, err := s.Connect(ctx, "one")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	sub, err := c.Subscribe(ctx, "s", "g")
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	got := make(chan flows.Message, 1)
	go func() {
		m, _ := sub.Receive(ctx) // an error shows as a message without its id
		got <- m
	}()
	other, err := amqp.Dial(a)
	if err != nil {
		t.Fatal("cannot connect to delete the queue")
	}
	ch, err := other.Channel()
	if err != nil {
		t.Fatalf("open channel: %v", err)
	}
	if _, err := ch.QueueDelete(cfg.Prefix+".group.g.s", false, false, false); err != nil {
		t.Fatalf("delete queue: %v", err)
	}
	_ = other.Close() // it has done its work
	select {
	case <-back:
	case <-ctx.Done():
		t.Fatal("not connected again after the queue was deleted")
	}
	if err := c.Publish(ctx, flows.Message{Subject: "s", ID: 1}); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if m := <-got; m.ID != 1 {
		t.Errorf("received message %d; want 1", m.ID)
	}
	if err := errors.Join(c.Close(), s.Close(ctx)); err != nil {
		t.Errorf("close: %v", err)
	}
}

// BenchmarkRequestReply compares one request in flight over the driver with a
// loop written by hand on the client library, with the same guarantees, in
// turns so that both see the same machine.
func BenchmarkRequestReply(b *testing.B) {
	a := address(b)
	driven, stopDriven := drivenLoop(b, a)
	defer stopDriven()
	raw, stopRaw := rawLoop(b, a)
	defer stopRaw()
	const turn = 50
	var viaDriver, byHand []time.Duration
	for b.Loop() {
		for range turn {
			byHand = append(byHand, timed(raw))
		}
		for range turn {
			viaDriver = append(viaDriver, timed(driven))
		}
	}
	d, h := median(viaDriver), median(byHand)
	b.ReportMetric(float64(d.Nanoseconds()), "driver-p50-ns")
	b.ReportMetric(float64(h.Nanoseconds()), "raw-p50-ns")
	b.ReportMetric(float64(d)/float64(h), "ratio-to-raw")
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func must[T any](b *testing.B) func(T, error) T {
	return func(x T, err error) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return x
	}
}

func drivenLoop(b *testing.B, a string) (request func(), stop func()) {
	s := must[broker.Session](b)(Driver().Open(b.Context(), config(a, func(broker.Event) {})))
	service := must[flows.Conn](b)(s.Connect(b.Context(), "service"))
	client := must[flows.Conn](b)(s.Connect(b.Context(), "client"))
	requests := must[flows.Subscription](b)(service.Subscribe(b.Context(), "r", "g"))
	inbox, answers, err := client.Inbox(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			m, err := requests.Receive(ctx)
			if err != nil {
				return
			}
			_ = service.Publish(ctx, flows.Message{Subject: m.ReplyTo, Correlation: m.ID, Body: m.Body})
			_ = m.Ack(ctx) // a lost one stalls the benchmark
		}
	})
	body, id := make([]byte, 128), uint64(0)
	return func() {
			id++
			confirmed := make(chan error, 1)
			go func() {
				confirmed <- client.Publish(ctx, flows.Message{Subject: "r", ID: id, ReplyTo: inbox, Body: body})
			}()
			if m, err := answers.Receive(ctx); err != nil || m.Correlation != id {
				b.Fatal(m, err)
			}
			if err := <-confirmed; err != nil {
				b.Fatal(err)
			}
		}, func() {
			cancel()
			serving.Wait()
			if err := errors.Join(client.Close(), service.Close(), s.Close(context.Background())); err != nil {
				b.Error(err)
			}
		}
}

func rawLoop(b *testing.B, a string) (request func(), stop func()) {
	name := fmt.Sprintf("fbtest-raw-%x", time.Now().UnixNano())
	service := must[*amqp.Connection](b)(amqp.Dial(a))
	client := must[*amqp.Connection](b)(amqp.Dial(a))
	in := must[*amqp.Channel](b)(service.Channel())
	out := must[*amqp.Channel](b)(client.Channel())
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.QueueTTLArg: unusedMax.Milliseconds()}
	must[amqp.Queue](b)(in.QueueDeclare(name, true, false, false, false, args))
	if err := errors.Join(in.Qos(50, 0, false), out.Confirm(false)); err != nil {
		b.Fatal(err)
	}
	requests := must[<-chan amqp.Delivery](b)(in.Consume(name, "", false, false, false, false, nil))
	answers := must[<-chan amqp.Delivery](b)(out.Consume(directAddress, "", true, false, false, false, nil))
	var serving sync.WaitGroup
	serving.Go(func() {
		for d := range requests {
			_ = in.PublishWithContext(b.Context(), "", d.ReplyTo, false, false,
				amqp.Publishing{CorrelationId: d.CorrelationId, Body: d.Body})
			_ = d.Ack(false)
		}
	})
	body := make([]byte, 128)
	return func() {
			dc, err := out.PublishWithDeferredConfirm("", name, true, false,
				amqp.Publishing{ReplyTo: directAddress, DeliveryMode: amqp.Persistent, Body: body})
			if err != nil {
				b.Fatal(err)
			}
			<-answers
			dc.Wait()
		}, func() {
			_, err := out.QueueDelete(name, false, false, false)
			if err := errors.Join(err, client.Close(), service.Close()); err != nil {
				b.Error(err)
			}
			serving.Wait()
		}
}

func TestOnlyClassicQueuesHavePriorities(t *testing.T) {
	for _, tt := range []struct {
		queue, most string
		priorities  bool
		want        string // in the error; empty for none
	}{
		{"quorum", "0", false, ""},
		{"classic", "0", false, ""},
		{"classic", "1", true, ""},
		{"classic", "10", true, ""},
		{"quorum", "1", false, "want queue: classic, or max_priority: 0"},
	} {
		d, p := Driver(), Driver().Defaults()
		p["queue"], p["max_priority"] = tt.queue, tt.most
		if got := d.Traits(p).Has(flows.Priorities); got != tt.priorities {
			t.Errorf("%s queue, max_priority %s: offers priorities: %v; want %v", tt.queue, tt.most, got, tt.priorities)
		}
		err := d.Check(p)
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s queue, max_priority %s: %v; want %q", tt.queue, tt.most, err, tt.want)
		}
	}
}
