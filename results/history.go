package results

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// HistorySchema names the layout of histories. A history is a file of lines of
// JSON: a header, then every event in the order in which the recorder took it in,
// each as an array that begins with what it is, and an end. docs/results.md
// describes them.
const HistorySchema = "flowbench.history/1"

// maxHistory bounds a history. One that would be longer is cut and says so.
const maxHistory = 8 << 30

// historyBuffer is what is kept back before it is written.
const historyBuffer = 64 << 10

// A HistoryHeader says what a history is of.
type HistoryHeader struct {
	Schema     string        `json:"schema"`
	Cell       string        `json:"cell"`
	Promise    string        `json:"promise"`
	Idempotent bool          `json:"idempotent"`
	Origin     time.Duration `json:"origin_ns"` // when the load began, on the runtime's clock
	Warmup     time.Duration `json:"warmup_ns"`

	Subscribers int `json:"subscribers,omitempty"` // who want to hear of every command

	Broker string `json:"broker,omitempty"` // by name; empty for flows without one
}

// A HistoryEnd is what is only known at the end of a cell.
type HistoryEnd struct {
	Issued  uint64  `json:"issued"`        // the highest operation id that a client may have taken up
	Drained bool    `json:"drained"`       // nothing was left under way or waiting
	Cut     bool    `json:"cut,omitempty"` // it would have been longer than it may be
	Faults  []Fault `json:"faults"`
}

// What the lines of a history begin with.
const (
	outcomeLine     = "outcome"
	appliedLine     = "applied"
	corruptLine     = "corrupt"
	repeatedLine    = "repeated"
	refusedLine     = "refused"
	strayLine       = "stray"
	redeliveredLine = "redelivered"
	heardLine       = "heard"
)

// A historyWriter writes a history. Its methods may be called on nil, and then
// do nothing. It is not safe for concurrent use.
type historyWriter struct {
	out    *bufio.Writer
	line   []byte
	origin time.Duration
	size   int64
	err    error
}

func newHistoryWriter(config CellConfig) *historyWriter {
	c := config.Cell
	h := &historyWriter{out: bufio.NewWriterSize(config.History, historyBuffer), origin: config.Origin}
	header := HistoryHeader{HistorySchema, c.ID, c.Promise, c.Idempotent, config.Origin, c.Load.Warmup, 0, c.Broker}
	if c.Heard != nil {
		header.Subscribers = c.Heard.Subscribers
	}
	h.json(header)
	h.keep(h.out.Flush())
	return h
}

// outcome writes the end of an operation: ids first, then when it was due since
// the load began, then the stages since it was due, null for those not reached.
func (h *historyWriter) outcome(o Outcome) {
	if h == nil {
		return
	}
	h.begin(outcomeLine)
	h.number(o.Op)
	h.number(uint64(o.Client))
	h.word(o.Kind.String())
	h.number(uint64(o.Key))
	h.word(o.Status.String())
	h.word(o.Class)
	h.time(o.Due - h.origin)
	for _, at := range [...]time.Duration{o.Started, o.Accepted, o.Answered, o.Ended} {
		if at == 0 {
			h.line = append(h.line, ",null"...)
			continue
		}
		h.time(at - o.Due)
	}
	h.number(uint64(o.Read))
	h.end()
}

func (h *historyWriter) applied(a Applied) {
	if h == nil {
		return
	}
	switch {
	case a.Refused:
		h.begin(refusedLine)
		h.number(a.Op)
	case a.Repeated:
		h.begin(repeatedLine)
		h.number(a.Op)
	default:
		what := appliedLine
		if a.Corrupt {
			what = corruptLine
		}
		h.begin(what)
		h.number(a.Op)
		h.number(uint64(a.Key))
		h.number(a.Version)
	}
	h.time(a.At - h.origin)
	h.number(uint64(max(a.Instance, 0)))
	h.end()
}

func (h *historyWriter) stray(op uint64) { h.note(strayLine, op) }

func (h *historyWriter) redelivered(op uint64) { h.note(redeliveredLine, op) }

// heard writes that news of an operation reached a subscriber.
func (h *historyWriter) heard(op uint64, subscriber int) {
	if h == nil {
		return
	}
	h.begin(heardLine)
	h.number(op)
	h.time(time.Duration(subscriber))
	h.end()
}

func (h *historyWriter) note(what string, op uint64) {
	if h == nil {
		return
	}
	h.begin(what)
	h.number(op)
	h.end()
}

// flush writes what was kept back.
func (h *historyWriter) flush() error {
	if h == nil {
		return nil
	}
	h.keep(h.out.Flush())
	return h.err
}

// close writes the end.
func (h *historyWriter) close(c *Cell, issued uint64) error {
	if h == nil {
		return nil
	}
	end := HistoryEnd{Issued: issued, Drained: c.Drained, Cut: h.size >= maxHistory, Faults: c.Faults}
	h.json(struct {
		End HistoryEnd `json:"end"`
	}{end})
	return h.flush()
}

func (h *historyWriter) begin(what string) {
	h.line = append(append(append(h.line[:0], `["`...), what...), '"')
}

func (h *historyWriter) number(n uint64) { h.line = strconv.AppendUint(append(h.line, ','), n, 10) }

func (h *historyWriter) time(d time.Duration) {
	h.line = strconv.AppendInt(append(h.line, ','), int64(d), 10)
}

// word writes one of our own words, which need no escapes, or any other text.
func (h *historyWriter) word(s string) {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '-' && c != ' ' {
			b, err := json.Marshal(s)
			h.keep(err)
			h.line = append(append(h.line, ','), b...)
			return
		}
	}
	h.line = append(append(append(h.line, `,"`...), s...), '"')
}

func (h *historyWriter) end() {
	h.line = append(h.line, "]\n"...)
	if h.size += int64(len(h.line)); h.size < maxHistory {
		_, err := h.out.Write(h.line)
		h.keep(err)
	}
}

func (h *historyWriter) json(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = h.out.Write(append(b, '\n'))
	}
	h.keep(err)
}

func (h *historyWriter) keep(err error) {
	if err != nil && h.err == nil {
		h.err = fmt.Errorf("write history: %w", err)
	}
}
