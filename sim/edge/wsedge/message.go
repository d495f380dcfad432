package wsedge

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// The verbs and statuses of messages.
const (
	verbSubmit    = "submit"
	verbStatus    = "status"
	verbQuery     = "query"
	verbChanges   = "changes"
	verbCommand   = "command"
	verbCancel    = "cancel"
	statusDone    = "done"
	statusPending = "pending"
	statusError   = "error"
	statusEnd     = "end"
	statusCredit  = "credit"
)

// An asked is a message of a client as the server reads it.
type asked struct {
	N    uint64 `json:"n"`
	Verb string `json:"verb"`
	ID   string `json:"id"`
	Key  string `json:"key"`
	Body []byte `json:"body"`

	Trace string `json:"traceparent"`

	Stream *int64 `json:"stream"` // the size of the body, which comes in frames; nil if it is here
}

// appendCall appends the message that makes a call. Messages are appended and
// not marshalled, which takes a third of the time; the key, which may be any
// text, is left to the library.
func appendCall(b []byte, n uint64, c flows.Call) ([]byte, error) {
	verb := verbOf(c)
	b = append(appendNumber(b, n), `,"verb":"`...)
	b = append(append(b, verb...), `","id":"`...)
	b = append(append(b, edge.FormatID(c.ID)...), '"')
	if c.Trace != "" {
		trace, err := json.Marshal(c.Trace)
		if err != nil {
			return nil, flows.Fail(flows.Internal, fmt.Errorf("write traceparent: %w", err))
		}
		b = append(append(b, `,"traceparent":`...), trace...)
	}
	if verb != verbStatus {
		key, err := json.Marshal(c.Key)
		if err != nil {
			return nil, flows.Fail(flows.Internal, fmt.Errorf("write key: %w", err))
		}
		b = append(append(b, `,"key":`...), key...)
	}
	switch takes := verb == verbSubmit || verb == verbCommand; {
	case takes && c.Stream != nil:
		b = strconv.AppendInt(append(b, `,"stream":`...), c.StreamBytes, 10)
	case takes:
		b = appendBody(b, c.Body)
	}
	return append(b, '}'), nil
}

// verbOf returns the verb that makes a call.
func verbOf(c flows.Call) string {
	switch {
	case c.Verb == flows.Submit:
		return verbSubmit
	case c.Verb == flows.Watch && c.Kind == flows.Command:
		return verbCommand
	case c.Verb == flows.Watch:
		return verbChanges
	case c.Kind == flows.StatusOf:
		return verbStatus
	default:
		return verbQuery
	}
}

// appendCancel appends the message that takes a call back.
func appendCancel(b []byte, n uint64) []byte {
	return append(appendNumber(b, n), `,"verb":"cancel"}`...)
}

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(append(b, `{"n":`...), n, 10) }

func appendBody(b, body []byte) []byte {
	b = base64.StdEncoding.AppendEncode(append(b, `,"body":"`...), body)
	return append(b, '"')
}

// call returns the call that a message makes.
func (m *asked) call() (flows.Call, error) {
	id, err := edge.ParseID(m.ID)
	if err != nil {
		return flows.Call{}, flows.Fail(flows.Rejected, fmt.Errorf("id: %w", err))
	}
	c := flows.Call{Verb: flows.Fetch, ID: id, Key: m.Key, Trace: m.Trace}
	switch m.Verb {
	case verbSubmit:
		c.Verb, c.Kind, c.Body = flows.Submit, flows.Command, m.Body
	case verbStatus:
		c.Kind = flows.StatusOf
	case verbQuery:
		c.Kind = flows.Query
	case verbChanges:
		c.Verb, c.Kind = flows.Watch, flows.Query
	case verbCommand:
		c.Verb, c.Kind, c.Body = flows.Watch, flows.Command, m.Body
	default:
		return c, flows.Fail(flows.Rejected, fmt.Errorf("there is no verb %q", m.Verb))
	}
	if m.Stream != nil && m.takes() {
		if *m.Stream < 0 || len(m.Body) > 0 {
			return c, flows.Fail(flows.Rejected, errors.New("a body is here or comes in frames, and has a size"))
		}
		c.StreamBytes = *m.Stream
	}
	return c, nil
}

// takes reports whether the call takes a body.
func (m *asked) takes() bool { return m.Verb == verbSubmit || m.Verb == verbCommand }

// An answered is a message of the server as a client reads it.
type answered struct {
	N            uint64 `json:"n"`
	Status       string `json:"status"`
	Op           string `json:"op,omitempty"` // the command that the answer is news of
	Body         []byte `json:"body,omitempty"`
	RetryAfterMs int64  `json:"retry_after_ms,omitempty"`
	Bytes        int64  `json:"bytes,omitempty"` // with credit
	edge.Fault
}

// appendAnswer appends the message that answers call n.
func appendAnswer(b []byte, n uint64, a flows.Answer) []byte {
	b = appendNumber(b, n)
	if a.Status == flows.Pending {
		b = append(b, `,"status":"pending","retry_after_ms":`...)
		return append(strconv.AppendInt(b, max(a.RetryAfter.Milliseconds(), 1), 10), '}')
	}
	b = append(b, `,"status":"done"`...)
	if a.Op != 0 {
		b = append(append(append(b, `,"op":"`...), edge.FormatID(a.Op)...), '"')
	}
	return append(appendBody(b, a.Body), '}')
}

// appendEnd appends the message that says that call n has no more answers.
func appendEnd(b []byte, n uint64) []byte { return append(appendNumber(b, n), `,"status":"end"}`...) }

// appendCredit appends the message that asks for more of the body of call n.
func appendCredit(b []byte, n uint64, bytes int64) []byte {
	b = append(appendNumber(b, n), `,"status":"credit","bytes":`...)
	return append(strconv.AppendInt(b, bytes, 10), '}')
}

// appendError appends the message that answers call n with an error.
func appendError(b []byte, n uint64, err error) []byte {
	text, _ := json.Marshal(answered{N: n, Status: statusError, Fault: edge.FaultOf(err)}) // strings always encode
	return append(b, text...)
}

// A codec is the client's side of the protocol. It implements [socket.Codec].
type codec struct{ maxBody int64 }

func (codec) Hello() []byte { return nil }

func (codec) Ready([]byte) (bool, error) { return true, nil }

func (codec) AppendCall(b []byte, n uint64, c flows.Call) ([]byte, error) { return appendCall(b, n, c) }

func (codec) AppendCancel(b []byte, n uint64) []byte { return appendCancel(b, n) }

func (c codec) Read(message []byte) (socket.Heard, error) {
	var m answered
	if err := json.Unmarshal(message, &m); err != nil {
		return socket.Heard{}, err
	}
	if m.Status == statusCredit {
		return m.credit()
	}
	h := socket.Heard{N: m.N, Last: m.Status == statusError || m.Status == statusEnd, Empty: m.Status == statusEnd}
	if !h.Empty {
		h.Answer, h.Err = m.answer(c.maxBody)
	}
	return h, nil
}

// credit returns what the message allows.
func (m *answered) credit() (socket.Heard, error) {
	if m.Bytes <= 0 || m.Bytes > maxCredit {
		return socket.Heard{}, fmt.Errorf("a credit of %d bytes", m.Bytes)
	}
	return socket.Heard{N: m.N, Credit: m.Bytes}, nil
}

// maxCredit is more than any server of ours gives at once.
const maxCredit = 1 << 30

// answer returns what the message says, or the error that it stands for.
func (m *answered) answer(maxBody int64) (flows.Answer, error) {
	switch {
	case m.Status == statusError:
		return flows.Answer{}, m.Err()
	case m.Status == statusPending:
		return flows.Answer{Status: flows.Pending, RetryAfter: edge.Milliseconds(m.RetryAfterMs)}, nil
	case m.Status != statusDone:
		return flows.Answer{}, flows.Unknown(flows.Corrupt, fmt.Errorf("status %q is none", m.Status))
	case int64(len(m.Body)) > maxBody:
		return flows.Answer{}, flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", maxBody))
	}
	a := flows.Answer{Status: flows.Done, Body: m.Body}
	if m.Op != "" {
		op, err := edge.ParseID(m.Op)
		if err != nil {
			return flows.Answer{}, flows.Unknown(flows.Corrupt, fmt.Errorf("op: %w", err))
		}
		a.Op = op
	}
	return a, nil
}
