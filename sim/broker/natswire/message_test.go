package natswire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flowbench/flows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ids() *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(1, 4), rapid.Uint64())
}

func TestWhatIsEncodedIsDecodedAgain(t *testing.T) {
	s := NewSpace("p-1")
	rapid.Check(t, func(t *rapid.T) {
		m := flows.Message{
			Subject: "a.b", ID: ids().Draw(t, "id"), Correlation: ids().Draw(t, "correlation"),
			Op: ids().Draw(t, "op"), Kind: flows.Kind(rapid.IntRange(0, 2).Draw(t, "kind")),
			Key:    rapid.StringMatching(`[a-z0-9]{0,8}`).Draw(t, "key"),
			Status: flows.Status(rapid.IntRange(0, 2).Draw(t, "status")),
		}
		answer := rapid.Bool().Draw(t, "answer")
		if answer {
			m.Subject = "p-1.i.7"
		}
		if rapid.Bool().Draw(t, "request") {
			m.ReplyTo = "p-1.i.2a"
		}
		out := s.Encode(m, rapid.Bool().Draw(t, "in reply"))
		got := s.Decode(m.Subject, out.Subject, out.Reply, out.Header, out.Data)
		want := m
		if want.ReplyTo != "" { // names the request now
			want.ReplyTo += "." + hex(m.ID)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("decoded from %+v (-want +got):\n%s", out, diff)
		}
	})
}

func TestAPlainRequestNeedsNoHeader(t *testing.T) {
	s := NewSpace("p")
	out := s.Encode(flows.Message{Subject: "r", ID: 255, Op: 255, ReplyTo: "p.i.1"}, true)
	if len(out.Header) > 0 || out.Reply != "p.i.1.ff" || out.Subject != "p.s.r" {
		t.Errorf("encoded to subject %s, reply %s, headers %v; want no header", out.Subject, out.Reply, out.Header)
	}
	out = s.Encode(flows.Message{Subject: out.Reply, Correlation: 255, Op: 255}, true)
	if len(out.Header) > 0 || out.Subject != "p.i.1.ff" {
		t.Errorf("its answer is encoded to subject %s, headers %v; want no header", out.Subject, out.Header)
	}
}

func TestTheServersNoticeFindsItsRequest(t *testing.T) {
	s := NewSpace("p")
	m := s.Decode("p.i.1", "p.i.1.ff", "", nats.Header{headerNotice: {noResponders}}, nil)
	if _, class := flows.OutcomeOf(m.Err); m.Correlation != 255 || class != flows.NoResponders {
		t.Errorf("decoded to correlation %d, error %v; want 255 and no responders", m.Correlation, m.Err)
	}
}

func TestWhatOthersWriteIsNoHarm(t *testing.T) {
	s := NewSpace("p")
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.SampledFrom([]string{"p.i.", "p.i.1", "p.i..", "p.i.x.y", "p.s.r", "p"})
		word := rapid.OneOf(rapid.String(), near)
		header := nats.Header{}
		for _, name := range []string{headerID, headerCorrelation, headerOp, headerKind, headerStatus, headerReply} {
			header[name] = rapid.SliceOfN(word, 0, 2).Draw(t, name)
		}
		m := s.Decode(word.Draw(t, "subject"), word.Draw(t, "full"), word.Draw(t, "reply"), header, nil)
		m.Subject = m.ReplyTo
		s.Encode(m, true) // an answer to it; neither may panic
	})
}

func TestErrorsOfTheLibraryHaveTheirClasses(t *testing.T) {
	c := &Conn{}
	for _, x := range []struct {
		err     error
		outcome flows.Outcome
		class   flows.Class
	}{
		{nats.ErrReconnectBufExceeded, flows.Failed, flows.Unreachable},
		{nats.ErrConnectionClosed, flows.Failed, flows.Unreachable},
		{nats.ErrMaxPayload, flows.Failed, flows.TooLarge},
		{nats.ErrNoResponders, flows.Failed, flows.NoResponders},
		{nats.ErrTimeout, flows.Undecided, flows.Timeout},
		{errors.New("write: broken pipe"), flows.Undecided, flows.Disconnected},
	} {
		if o, class := flows.OutcomeOf(c.PublishError(x.err)); o != x.outcome || class != x.class {
			t.Errorf("%v: got %v, %q; want %v, %q", x.err, o, class, x.outcome, x.class)
		}
	}
}
