package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// A HistoryEvent is one event of a history. Exactly one of its fields is set.
type HistoryEvent struct {
	Outcome     *Outcome
	Applied     *Applied
	Stray       *uint64 // an answer to this operation came when nobody waited for it
	Redelivered *uint64 // a request of this operation reached a service again
	Heard       *HistoryNotice
}

// A HistoryNotice is news of an operation that reached a subscriber.
type HistoryNotice struct {
	Op         uint64
	Subscriber int
}

// A History is what surrounds the events of one.
type History struct {
	HistoryHeader
	End *HistoryEnd // nil if it was cut short
	// Torn says that its last line is not whole: the writer was killed in the middle
	// of it.
	Torn bool
}

// ReadHistory reads a history and calls each for every event, in order. A last
// line that is not whole is forgiven; any other that cannot be read is an error
// with its number.
func ReadHistory(r io.Reader, each func(HistoryEvent)) (*History, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	h := &History{}
	var torn error
	for n := 1; lines.Scan(); n++ {
		if torn != nil {
			return nil, torn
		}
		if h.End != nil {
			return nil, fmt.Errorf("read line %d: something follows the end", n)
		}
		if err := h.line(n, lines.Bytes(), each); err != nil {
			torn = fmt.Errorf("read line %d: %w", n, err)
			if n == 1 {
				return nil, torn
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	if h.Schema == "" {
		return nil, errors.New("read history: it is empty")
	}
	h.Torn = torn != nil
	return h, nil
}

func (h *History) line(n int, b []byte, each func(HistoryEvent)) error {
	switch {
	case n == 1:
		if err := json.Unmarshal(b, &h.HistoryHeader); err != nil {
			return err
		}
		if h.Schema != HistorySchema {
			return fmt.Errorf("schema is %q; this flowbench reads %q", h.Schema, HistorySchema)
		}
		return nil
	case bytes.HasPrefix(b, []byte("{")):
		var end struct {
			End *HistoryEnd `json:"end"`
		}
		err := json.Unmarshal(b, &end)
		if err == nil && end.End == nil {
			err = errors.New("it is neither an event nor the end")
		}
		h.End = end.End
		return err
	}
	var fields []json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	e, err := h.event(fields)
	if err == nil {
		each(e)
	}
	return err
}

// event makes an event of the fields of its line.
func (h *History) event(fields []json.RawMessage) (HistoryEvent, error) {
	var what string
	if len(fields) == 0 {
		return HistoryEvent{}, errors.New("the line is empty")
	}
	if err := json.Unmarshal(fields[0], &what); err != nil {
		return HistoryEvent{}, err
	}
	fields = fields[1:]
	switch what {
	case outcomeLine:
		o, err := h.outcome(fields)
		return HistoryEvent{Outcome: o}, err
	case strayLine:
		op := new(uint64)
		return HistoryEvent{Stray: op}, into(fields, op)
	case redeliveredLine:
		op := new(uint64)
		return HistoryEvent{Redelivered: op}, into(fields, op)
	case heardLine:
		n := &HistoryNotice{}
		return HistoryEvent{Heard: n}, into(fields, &n.Op, &n.Subscriber)
	}
	a := Applied{Corrupt: what == corruptLine, Repeated: what == repeatedLine, Refused: what == refusedLine}
	var err error
	switch what {
	case repeatedLine, refusedLine:
		err = into(fields, &a.Op, &a.At, &a.Instance)
	case appliedLine, corruptLine:
		err = into(fields, &a.Op, &a.Key, &a.Version, &a.At, &a.Instance)
	default:
		err = fmt.Errorf("there is no event %.40q", what)
	}
	a.At += h.Origin
	return HistoryEvent{Applied: &a}, err
}

func (h *History) outcome(fields []json.RawMessage) (*Outcome, error) {
	var o Outcome
	var kind, status string
	var started, accepted, answered, ended *time.Duration
	err := into(fields, &o.Op, &o.Client, &kind, &o.Key, &status, &o.Class, &o.Due,
		&started, &accepted, &answered, &ended, &o.Read)
	if err != nil {
		return nil, err
	}
	k := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.String() == kind })
	s := slices.IndexFunc(statuses(), func(s Status) bool { return s.String() == status })
	if k < 0 || s < 0 {
		return nil, fmt.Errorf("there is no kind %.40q or no status %.40q", kind, status)
	}
	o.Kind, o.Status = Kinds()[k], statuses()[s]
	o.Due += h.Origin
	for stage, at := range map[*time.Duration]*time.Duration{
		&o.Started: started, &o.Accepted: accepted, &o.Answered: answered, &o.Ended: ended,
	} {
		if at != nil {
			*stage = o.Due + *at
		}
	}
	return &o, nil
}

func statuses() []Status { return []Status{OK, Failed, Unknown, Dropped} }

// into decodes fields into as many places.
func into(fields []json.RawMessage, places ...any) error {
	if len(fields) != len(places) {
		return fmt.Errorf("it has %d fields; want %d", len(fields), len(places))
	}
	for i, f := range fields {
		if err := json.Unmarshal(f, places[i]); err != nil {
			return fmt.Errorf("field %d: %w", i+1, err)
		}
	}
	return nil
}
