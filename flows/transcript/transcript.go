package transcript

import (
	"slices"
	"strings"
	"time"
)

// A Transcript is the episodes of one flow.
type Transcript struct {
	Flow         string
	Participants []string // in the order in which diagrams show them
	Episodes     []Episode
}

// An Episode is one operation, from when its client took it up until nothing
// moved any more.
type Episode struct {
	Kind  string // of the operation: command or query
	Story string // how it goes: done, the broker is away
	Steps []Step // in the order in which they happened
}

// A Step is one telling, or something that one participant does or learns.
type Step struct {
	At   time.Duration // since the episode began
	Form Form
	From string
	To   string // empty for a Note and an Outcome
	Text string // one line
}

// A Form says what kind of step it is.
type Form uint8

// The forms.
const (
	Telling   Form = iota // a request, a message, an event
	Reply                 // an answer, a confirm, an acknowledgement
	Lost                  // a telling that does not arrive
	LostReply             // a reply that does not arrive
	Note                  // what somebody does alone
	Outcome               // what the client knows in the end: ok, failed or unknown, and why
	numForms
)

// mark returns how the form is written.
func (f Form) mark() string { return [numForms]string{"->", "-->", "-x", "--x", ":", "="}[f] }

// alone reports whether steps of the form concern one participant only.
func (f Form) alone() bool { return f == Note || f == Outcome }

// Episode returns the episode of an operation of the given kind that goes as the
// story says. ok is false if there is none.
func (t Transcript) Episode(kind, story string) (e Episode, ok bool) {
	for _, e := range t.Episodes {
		if e.Kind == kind && e.Story == story {
			return e, true
		}
	}
	return Episode{}, false
}

// Outcome returns what the client knows in the end, and the empty string if it
// never comes to know anything.
func (e Episode) Outcome() string {
	for _, s := range e.Steps {
		if s.Form == Outcome {
			return s.Text
		}
	}
	return ""
}

// Cast returns the participants that take part in e, in the order of t.
func (t Transcript) Cast(e Episode) []string {
	var cast []string
	for _, name := range t.Participants {
		if slices.ContainsFunc(e.Steps, func(s Step) bool { return s.From == name || s.To == name }) {
			cast = append(cast, name)
		}
	}
	return cast
}

// remarks explain the format where it is met first: in the file.
const remarks = `# Who told whom what, and when, in virtual milliseconds. Written by go test ./flows -rewrite.
#
#   a  ->   b  a tells b              a  -x   b  it does not arrive
#   a  -->  b  a answers b            a  --x  b  the answer does not arrive
#   a  :       a does this alone      a  =       a knows the outcome
#
# What a broker or a balancer tells has the time of its arrival; all else, the time at which it was sent.
`

// String writes t as [Parse] reads it, with columns and an explanation.
func (t Transcript) String() string {
	var b strings.Builder
	b.WriteString(remarks)
	b.WriteString("\nflow: " + t.Flow + "\nparticipants: " + strings.Join(t.Participants, " ") + "\n")
	for _, e := range t.Episodes {
		b.WriteString("\n== " + e.Kind + ": " + e.Story + "\n\n")
		b.WriteString(t.Text(e))
	}
	return b.String()
}

// Text writes the steps of e, one on a line.
func (t Transcript) Text(e Episode) string {
	clock, name := 0, 0
	for _, s := range e.Steps {
		clock = max(clock, len(milliseconds(s.At)))
	}
	for _, p := range t.Participants {
		name = max(name, len(p))
	}
	var b strings.Builder
	for _, s := range e.Steps {
		at := milliseconds(s.At)
		b.WriteString(strings.Repeat(" ", 2+clock-len(at)) + at)
		b.WriteString("  " + pad(s.From, name) + "  " + pad(s.Form.mark(), 3))
		if !s.Form.alone() {
			b.WriteString("  " + pad(s.To, name))
		}
		b.WriteString("  " + s.Text + "\n")
	}
	return b.String()
}

func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-len(s))) }
