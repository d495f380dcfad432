package modelbroker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

const ms = time.Millisecond

// troubled runs body with a publisher, and a subscription of the subject "s" in
// a group, at a broker with quick links and the given faults.
func troubled(
	t *testing.T, p broker.Params, faults []modelbroker.Fault,
	body func(ctx context.Context, k *des.Kernel, pub, c flows.Conn, sub flows.Subscription),
) {
	t.Helper()
	k := des.New()
	d := modelbroker.Driver(k, 1, faults...)
	params := d.Defaults()
	params["link_us"], params["service_us"] = "1", "1"
	maps.Copy(params, p)
	err := k.Run(t.Context(), func(ctx context.Context) {
		s, err := d.Open(ctx, broker.Config{
			Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {},
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		pub, err := s.Connect(ctx, "publisher")
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Connect(ctx, "subscriber")
		if err != nil {
			t.Fatal(err)
		}
		sub, err := c.Subscribe(ctx, "s", "g")
		if err == nil {
			err = c.Ready(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		body(ctx, k, pub, c, sub)
		if err := errors.Join(pub.Close(), c.Close(), s.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// drain receives and acknowledges until nothing more comes for five seconds, and
// returns the ids, those of what comes again with a minus.
func drain(ctx context.Context, k *des.Kernel, sub flows.Subscription) (ids []int64) {
	for {
		short, cancel := k.WithTimeout(ctx, 5*time.Second)
		m, err := sub.Receive(short)
		cancel()
		if err != nil {
			return ids
		}
		_ = m.Ack(ctx) // it may be of an epoch that is over
		id := int64(m.ID)
		if m.Redelivered {
			id = -id
		}
		ids = append(ids, id)
	}
}

// TestFaultsDoWhatTheySay publishes messages 1 to 4 at 10, 20, 30 and 40 ms, has
// a fault between 15 and 35 ms, and looks at what the publisher was told and at
// what the subscriber receives.
func TestFaultsDoWhatTheySay(t *testing.T) {
	once := broker.Params{"delivery": "at-most-once", "confirm": "none"}
	const ok, gone, cut = "ok", "failed unreachable", "unknown disconnected"
	for _, tt := range []struct {
		name   string
		params broker.Params
		fault  modelbroker.Fault
		told   []string // of each message, how publishing it ended
		got    []int64
	}{
		{
			"what an at-most-once broker loses on the way is gone, and nobody is told", once,
			modelbroker.Fault{Kind: modelbroker.Lose, Conn: "publisher", Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 4},
		},
		{
			"what it loses on the way to a subscriber is gone as well", once,
			modelbroker.Fault{Kind: modelbroker.Lose, Conn: "subscriber", Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 4},
		},
		{
			"without its confirm, a publish is unknown when the connection breaks", nil,
			modelbroker.Fault{Kind: modelbroker.Lose, Conn: "publisher", Share: 1},
			[]string{ok, cut, cut, gone}, []int64{1},
		},
		{
			"what is lost on the way to a subscriber comes again, even without having been received", nil,
			modelbroker.Fault{Kind: modelbroker.Lose, Conn: "subscriber", Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 3, 4},
		},
		{
			"a slow link is slow and keeps the order", nil,
			modelbroker.Fault{Kind: modelbroker.Slow, Conn: "publisher", Delay: time.Second},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 3, 4},
		},
		{
			"a broker that repeats marks what it delivers again", nil,
			modelbroker.Fault{Kind: modelbroker.Repeat, Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 2, -2, 3, -3, 4},
		},
		{
			"a broker at most once repeats nothing", once,
			modelbroker.Fault{Kind: modelbroker.Repeat, Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 3, 4},
		},
		{
			"what is sent twice is stored twice", nil,
			modelbroker.Fault{Kind: modelbroker.Resend, Conn: "publisher", Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 2, 3, 3, 4},
		},
		{
			"unless the broker knows message ids", broker.Params{"dedup_ms": "1000"},
			modelbroker.Fault{Kind: modelbroker.Resend, Conn: "publisher", Share: 1},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 3, 4},
		},
		{
			"without a connection, a publish certainly fails", nil,
			modelbroker.Fault{Kind: modelbroker.Cut, Conn: "publisher"},
			[]string{ok, gone, gone, gone}, []int64{1}, // at 40 ms it waits to try again
		},
		{
			"what nobody is there to receive waits", nil,
			modelbroker.Fault{Kind: modelbroker.Cut, Conn: "subscriber"},
			[]string{ok, ok, ok, ok}, []int64{1, 2, 3, 4},
		},
		{
			"and at most once, it fails where that is told", broker.Params{"delivery": "at-most-once"},
			modelbroker.Fault{Kind: modelbroker.Cut, Conn: "subscriber"},
			[]string{ok, "failed no-responders", "failed no-responders", "failed no-responders"}, []int64{1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.At, tt.fault.For = 15*ms, 20*ms
			troubled(t, tt.params, []modelbroker.Fault{tt.fault}, func(
				ctx context.Context, k *des.Kernel, pub, _ flows.Conn, sub flows.Subscription,
			) {
				told := make([]string, 4)
				for id := range uint64(4) {
					_ = k.Sleep(ctx, time.Duration(id+1)*10*ms-k.Now())
					k.Go(ctx, func(ctx context.Context) {
						outcome, class := flows.OutcomeOf(pub.Publish(ctx, flows.Message{Subject: "s", ID: id + 1}))
						told[id] = strings.TrimSpace(fmt.Sprint(outcome, " ", class))
					})
				}
				if got := drain(ctx, k, sub); !slices.Equal(got, tt.got) || !slices.Equal(told, tt.told) {
					t.Errorf("told %q, received %v; want %q, %v", told, got, tt.told, tt.got)
				}
			})
		})
	}
}

// TestAnOutageLeavesWhatIsDurable has three messages wait while the broker goes
// away, and a fourth being worked on.
func TestAnOutageLeavesWhatIsDurable(t *testing.T) {
	for durable, want := range map[string][]int64{"yes": {1, 2, 3}, "no": nil} {
		p := broker.Params{"durable": durable, "service": "constant", "service_us": "1000"}
		faults := []modelbroker.Fault{
			{Kind: modelbroker.Cut, At: ms, For: time.Second, Conn: "subscriber"},
			{Kind: modelbroker.Outage, At: 100 * ms, For: 200 * ms},
		}
		troubled(t, p, faults, func(
			ctx context.Context, k *des.Kernel, pub, _ flows.Conn, sub flows.Subscription,
		) {
			_ = k.Sleep(ctx, 10*ms)
			for id := uint64(1); id <= 3; id++ {
				if err := pub.Publish(ctx, flows.Message{Subject: "s", ID: id}); err != nil {
					t.Error(err)
				}
			}
			_ = k.Sleep(ctx, 100*ms-500*time.Microsecond-k.Now())
			err := pub.Publish(ctx, flows.Message{Subject: "s", ID: 4})
			o, class := flows.OutcomeOf(err)
			if o != flows.Undecided || class != flows.Disconnected || k.Now() != 100*ms {
				t.Errorf("what was being worked on ends as %v, %s at %v; want unknown at 100ms", o, class, k.Now())
			}
			if got := drain(ctx, k, sub); !slices.Equal(got, want) {
				t.Errorf("with durable=%s, %v are left; want %v", durable, got, want)
			}
		})
	}
}

func TestFaultsAreToldInWords(t *testing.T) {
	for want, f := range map[string]modelbroker.Fault{
		"at 1ms for 2ms cut c from the broker":                                {Kind: modelbroker.Cut, Conn: "c"},
		"at 1ms for 2ms take the broker away":                                 {Kind: modelbroker.Outage},
		"at 1ms for 2ms have the broker deliver 50 % of messages twice":       {Kind: modelbroker.Repeat, Share: 0.5},
		"at 1ms for 2ms have every connection publish 10 % of messages twice": {Kind: modelbroker.Resend, Share: 0.1},
		"at 1ms for 2ms lose 100 % of the messages of c to and from the broker": {
			Kind: modelbroker.Lose, Conn: "c", Share: 1,
		},
		"at 1ms for 2ms delay messages of every connection to and from the broker by 5ms on average": {
			Kind: modelbroker.Slow, Delay: 5 * ms,
		},
	} {
		f.At, f.For = ms, 2*ms
		if got := f.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestAnAnswerThatTheBrokerWorksOnMayComeTooLate cuts a client off while the
// broker works on an answer to it, and answers again when it is back: its address
// is still the same.
func TestAnAnswerThatTheBrokerWorksOnMayComeTooLate(t *testing.T) {
	p := broker.Params{"service": "constant", "service_us": "1000"}
	faults := []modelbroker.Fault{{Kind: modelbroker.Cut, Conn: "publisher", At: 10 * ms, For: ms}}
	troubled(t, p, faults, func(
		ctx context.Context, k *des.Kernel, client, service flows.Conn, sub flows.Subscription,
	) {
		address, inbox, err := client.Inbox(ctx)
		if err == nil {
			err = client.Ready(ctx)
		}
		if err == nil {
			err = client.Publish(ctx, flows.Message{Subject: "s", ID: 1, ReplyTo: address})
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range []time.Duration{10*ms - 500*time.Microsecond, time.Second} {
			_ = k.Sleep(ctx, at-k.Now())
			answer := flows.Message{Subject: m.ReplyTo, Correlation: 1, ID: uint64(i) + 2}
			if err := service.Publish(ctx, answer); err != nil {
				t.Error(err)
			}
		}
		if got := drain(ctx, k, inbox); !slices.Equal(got, []int64{3}) {
			t.Errorf("received answers %v; want 3", got)
		}
	})
}
