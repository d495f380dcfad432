package flows_test

import (
	"context"
	"iter"
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/flows/transcript"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

// directEdge hands each call to the last backend, in no time.
type directEdge struct{ backends []flows.Endpoint }

func (e *directEdge) Listen(_ context.Context, _ string, backends ...flows.Endpoint) (flows.Server, error) {
	e.backends = backends
	return nil, nil //nolint:nilnil // nobody serves it
}

func (e *directEdge) Dial(context.Context, string, int) (flows.Caller, error) { return e, nil }

func (e *directEdge) Call(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
	return e.backends[len(e.backends)-1](ctx, c)
}

func (e *directEdge) Close() error { return nil }

// TestTheRecorderNotesEveryAnswer watches a command, which has two answers,
// behind one backend and behind two.
func TestTheRecorderNotesEveryAnswer(t *testing.T) {
	twice := func(context.Context, flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			_ = yield(flows.Answer{Status: flows.Pending}, nil) && yield(flows.Answer{}, nil)
		}
	}
	for _, c := range []struct {
		backends []flows.Endpoint
		want     string
	}{
		{[]flows.Endpoint{twice}, `
  0.0  client-7  ->   door-0    watch command 5
  0.0  door-0    -->  client-7  answer to command 5: pending
  0.0  door-0    -->  client-7  answer to command 5: done
`},
		{[]flows.Endpoint{twice, twice}, `
  0.0  client-7  ->   balancer  watch command 5
  0.0  balancer  ->   door-1    watch command 5
  0.0  door-1    -->  balancer  answer to command 5: pending
  0.0  balancer  -->  client-7  answer to command 5: pending
  0.0  door-1    -->  balancer  answer to command 5: done
  0.0  balancer  -->  client-7  answer to command 5: done
`},
	} {
		r := newRecorder(des.New(), none)
		edge := recordedEdge{&directEdge{}, r}
		if _, err := edge.Listen(t.Context(), "door", c.backends...); err != nil {
			t.Fatal(err)
		}
		caller, err := edge.Dial(t.Context(), "door", 7)
		if err != nil {
			t.Fatal(err)
		}
		r.start()
		for _, err := range caller.Call(t.Context(), flows.Call{Verb: flows.Watch, Kind: flows.Command, ID: 5}) {
			if err != nil {
				t.Error(err)
			}
		}
		tr := transcript.Transcript{Participants: r.participants(nil)}
		if got := "\n" + tr.Text(transcript.Episode{Steps: r.steps}); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

func TestTheRecorderNotesUrgencyAndEverySubject(t *testing.T) {
	r := newRecorder(des.New(), none)
	c := &recordedConn{r: r}
	r.inboxes["inbox.1"] = "client-0"
	m := flows.Message{
		Subject: "requests.urgent", ReplyTo: "inbox.1", Op: 3, ID: 3, Kind: flows.Query, Urgent: true,
	}
	if got := c.published(m); got != "urgent query 3 to requests.urgent, reply to client-0" {
		t.Errorf("got %q", got)
	}
	m.Redelivered = true
	if got := received(m); got != "urgent query 3, delivered again" {
		t.Errorf("got %q", got)
	}
	m = flows.Message{Op: 3, Correlation: 3, Kind: flows.Query, Err: flows.Fail(flows.NoResponders, errTrouble)}
	if got := received(m); got != "query 3 is sent back: failed, no-responders" {
		t.Errorf("got %q", got)
	}
}

func TestABrokerThatLacksWhatAFlowNeedsIsNamed(t *testing.T) {
	d := modelbroker.Driver(des.New(), 1)
	const nothing = flows.Traits(1 << 15)
	if _, err := paramsFor(d, nothing); err == nil || !strings.Contains(err.Error(), "does not offer") {
		t.Errorf("the error is %v", err)
	}
	if p, err := paramsFor(d, flows.Redelivers); err != nil || p["link"] != "constant" || p["service"] != "constant" {
		t.Errorf("got %v, %v; want a broker without chance", p, err)
	}
}
