package expect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flowbench/results"
)

// maxStatement bounds the text of a statement, in bytes.
const maxStatement = 500

// A Statement is an expectation that has been read. It is immutable.
type Statement struct {
	text     string
	left     term
	compare  string
	right    term // unless against a baseline
	baseline bool
	allow    []change // against a baseline: one or two
}

// String returns the statement as it was written.
func (s *Statement) String() string { return s.text }

// Baseline reports whether the statement compares with another run.
func (s *Statement) Baseline() bool { return s.baseline }

// A term is a measure, a multiple of one, or a quantity if there is no measure.
type term struct {
	factor  float64
	measure *measure
	value   quantity
}

// A measure is a metric of some cells, in a window or over the whole measured time.
type measure struct {
	cells  selector
	metric metric
	window string // empty for no particular one
	at     int
}

// A selector chooses cells: all of them if it is empty.
type selector struct {
	flow  string
	names []string // each a broker, an edge, a way of payloads or a store
	at    []int    // where the flow, if there is one, and the names are written
}

// A quantity is a number with its unit.
type quantity struct {
	value float64 // in the base of its unit: nanoseconds, parts of one, bytes
	unit  Unit
	at    int
}

// A change is how far a measure may be from that of the baseline.
type change struct {
	by       float64 // with its sign; a share of the baseline's value if relative
	relative bool
}

// An Error says what is wrong with a statement, and at which byte of it.
type Error struct {
	At  int
	Msg string
}

// Error implements error.
func (e *Error) Error() string { return e.Msg }

func errorAt(at int, format string, args ...any) error {
	return &Error{at, fmt.Sprintf(format, args...)}
}

// scan returns the token that text begins with: a word with hyphens in it, a number,
// a comparison or a single sign. It returns nothing where there is none.
func scan(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	switch {
	case first == '_' || first != utf8.RuneError && unicode.IsLetter(first):
		end := strings.IndexFunc(text, func(r rune) bool {
			return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
		})
		if end < 0 {
			end = len(text)
		}
		return text[:end]
	case digit(text[0]):
		n := leadingDigits(text)
		if rest := text[n:]; len(rest) > 1 && rest[0] == '.' && digit(rest[1]) {
			n += 1 + leadingDigits(rest[1:])
		}
		return text[:n]
	case len(text) > 1 && text[1] == '=' && strings.IndexByte("<>=!", text[0]) >= 0:
		return text[:2]
	case strings.IndexByte("<>.@*%/+[]-", text[0]) >= 0:
		return text[:size]
	}
	return ""
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// leadingDigits returns how many digits text begins with.
func leadingDigits(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }

// A token is a piece of a statement. The last one is empty.
type token struct {
	text string
	at   int
	glue bool // nothing is between it and the one before
}

func (t token) isWord() bool {
	return t.text != "" && (t.text[0] >= 0x80 || t.text[0] == '_' || t.text[0]|0x20 >= 'a' && t.text[0]|0x20 <= 'z')
}

func (t token) isNumber() bool { return t.text != "" && t.text[0] >= '0' && t.text[0] <= '9' }

// described names a token in messages.
func (t token) described() string {
	if t.text == "" {
		return "the statement ends"
	}
	return strconv.Quote(t.text) + " stands"
}

func tokens(text string) ([]token, error) {
	var all []token
	glue := false
	for at := 0; at < len(text); {
		if c := text[at]; c == ' ' || c == '\t' {
			at, glue = at+1, false
			continue
		}
		t := scan(text[at:])
		if t == "" {
			r := []rune(text[at:])[0]
			if r == '=' {
				return nil, errorAt(at, "a single = compares nothing; want ==")
			}
			return nil, errorAt(at, "%s has no place in a statement; want such as lost == 0", strconv.QuoteRune(r))
		}
		all = append(all, token{t, at, glue})
		at, glue = at+len(t), true
	}
	return append(all, token{"", len(text), false}), nil
}

// Parse reads one statement. Every error is an [*Error].
func Parse(text string) (*Statement, error) {
	if len(text) > maxStatement {
		return nil, errorAt(maxStatement, "the statement has %d bytes; want at most %d", len(text), maxStatement)
	}
	all, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: all}
	s := &Statement{text: strings.TrimSpace(text)}
	if err := p.statement(s); err != nil {
		return nil, err
	}
	return s, nil
}

// A parser goes through tokens.
type parser struct {
	tokens []token
	next   int
}

func (p *parser) peek() token { return p.tokens[p.next] }

// take returns the next token, and stays at the end once it is there.
func (p *parser) take() token {
	t := p.tokens[p.next]
	p.next = min(p.next+1, len(p.tokens)-1)
	return t
}

// accept takes the next token if it is text.
func (p *parser) accept(text string) bool {
	if p.peek().text != text {
		return false
	}
	p.take()
	return true
}

func (p *parser) statement(s *Statement) (err error) {
	if s.left, err = p.term(); err != nil {
		return err
	}
	if s.left.measure == nil {
		return errorAt(0, "the statement begins with a quantity; want the metric first, such as lost == 0")
	}
	if p.accept("vs") {
		s.baseline = true
		if t := p.take(); t.text != "baseline" {
			return errorAt(t.at, "%s where the other run is named; want vs baseline", t.described())
		}
		if s.left.factor != 1 {
			return errorAt(0, "a multiple is compared with a baseline; want the metric itself")
		}
	}
	if t := p.take(); slices.Contains([]string{"<=", "<", ">=", ">", "==", "!="}, t.text) {
		s.compare = t.text
	} else {
		return errorAt(t.at, "%s where a comparison belongs; want <=, <, >=, >, == or !=", t.described())
	}
	if s.baseline {
		err = p.changes(s)
	} else if s.right, err = p.term(); err == nil {
		err = s.agree()
	}
	if t := p.peek(); err == nil && t.text != "" {
		return errorAt(t.at, "%s after the end of the statement; want nothing more", t.described())
	}
	return err
}

// term reads a quantity, or a measure with or without a factor.
func (p *parser) term() (term, error) {
	t := p.peek()
	if !t.isNumber() {
		m, err := p.measure()
		return term{factor: 1, measure: m}, err
	}
	q, err := p.quantity()
	if err != nil || !p.accept("*") {
		return term{factor: 1, value: q}, err
	}
	if q.unit != None {
		return term{}, errorAt(t.at, "a factor has no unit; want such as 2 * direct.answered.p99")
	}
	m, err := p.measure()
	return term{factor: q.value, measure: m}, err
}

// quantity reads a number with its unit, which stands right behind it.
func (p *parser) quantity() (quantity, error) {
	t := p.take()
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil || !t.isNumber() {
		return quantity{}, errorAt(t.at, "%s where a number belongs; want such as 50ms, 1%% or 0", t.described())
	}
	q := quantity{value: v, unit: None, at: t.at}
	unit, at := "", p.peek().at
	for n := p.peek(); n.glue && (n.isWord() || n.text == "%" || n.text == "/"); n = p.peek() {
		unit += p.take().text
	}
	if unit == "" {
		return q, nil
	}
	u, ok := units()[unit]
	if !ok {
		return q, errorAt(at, "there is no unit %q; want %s", unit, listed(unitNames()))
	}
	q.unit = u.unit
	if q.value, err = u.read(t.text); err != nil {
		return q, errorAt(t.at, "%s%s is beyond all bounds; want a smaller number", t.text, unit)
	}
	return q, nil
}

// changes reads what may lie between a measure and that of the baseline.
func (p *parser) changes(s *Statement) error {
	m := s.left.measure.metric
	for {
		sign := p.take()
		if sign.text != "+" && sign.text != "-" {
			return errorAt(sign.at, "%s where a change belongs; want it with its sign, such as +10%%", sign.described())
		}
		q, err := p.quantity()
		if err != nil {
			return err
		}
		c := change{by: q.value, relative: q.unit == Share && (m.Unit != Share || len(s.allow) == 0)}
		if !c.relative && q.unit != m.Unit {
			return errorAt(q.at, "%s is %s; want a change in %%, or %s", m.Name, m.Unit.described(), m.Unit.example())
		}
		if sign.text == "-" {
			c.by = -c.by
		}
		s.allow = append(s.allow, c)
		if !p.accept("and") {
			break
		}
		if len(s.allow) == 2 {
			return errorAt(p.peek().at, "a third change is given; want at most a relative and an absolute one")
		}
	}
	if s.compare == "==" || s.compare == "!=" {
		return errorAt(0, "%s is compared with a baseline by %s; want <=, <, >= or >", m.Name, s.compare)
	}
	return nil
}

// agree checks that both sides have the same unit.
func (s *Statement) agree() error {
	m := s.left.measure.metric
	if r := s.right.measure; r != nil {
		if r.metric.Unit != m.Unit {
			return errorAt(r.at, "%s is %s and %s is %s; want the same on both sides",
				r.metric.Name, r.metric.Unit.described(), m.Name, m.Unit.described())
		}
		return nil
	}
	if q := s.right.value; q.unit != m.Unit {
		return errorAt(q.at, "%s is %s; want %s", m.Name, m.Unit.described(), m.Unit.example())
	}
	return nil
}

// measure reads which cells, which metric, and which window.
func (p *parser) measure() (*measure, error) {
	m := &measure{at: p.peek().at}
	if err := p.selector(m); err != nil {
		return nil, err
	}
	at := p.peek().at
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	if m.metric, err = find(path, at); err != nil {
		if f := m.cells.flow; f != "" &&
			len(m.cells.names) == 0 { // which may have been meant as the metric's beginning
			if _, whole := find(append([]string{f}, path...), m.at); near(whole) {
				return nil, whole
			}
		}
		return nil, err
	}
	if !p.accept("[") {
		return m, nil
	}
	w := p.take()
	if !slices.Contains(results.WindowNames(), w.text) {
		return nil, errorAt(w.at, "%s where a window is named; want %s", w.described(), listed(results.WindowNames()))
	}
	if !m.metric.Windowed {
		return nil, errorAt(w.at, "%s is not known by window; want it without [%s]", m.metric.Name, w.text)
	}
	if t := p.take(); t.text != "]" {
		return nil, errorAt(t.at, "%s where the window ends; want ]", t.described())
	}
	m.window = w.text
	return m, nil
}

// selector reads which cells a measure is of. A first word that no metric begins
// with is a flow.
func (p *parser) selector(m *measure) error {
	first := p.peek()
	dotted := first.isWord() && p.next+1 < len(p.tokens) && p.tokens[p.next+1].text != ""
	if dotted {
		after := p.tokens[p.next+1].text
		if after == "@" || after == "." && !begins(first.text) {
			m.cells.flow, m.cells.at = p.take().text, append(m.cells.at, first.at)
		}
	}
	for p.accept("@") {
		t := p.take()
		if !t.isWord() {
			return errorAt(t.at, "%s behind @; want a broker, an edge, a way of payloads or a store", t.described())
		}
		m.cells.names, m.cells.at = append(m.cells.names, t.text), append(m.cells.at, t.at)
	}
	if m.cells.flow == "" && len(m.cells.names) == 0 {
		return nil
	}
	if t := p.take(); t.text != "." {
		return errorAt(t.at, "%s behind the cells; want a dot and the metric, such as .answered.p99", t.described())
	}
	return nil
}

// path reads words joined by dots. The digits behind the dot of p99.9 are part of
// its word.
func (p *parser) path() ([]string, error) {
	var path []string
	for {
		t := p.take()
		if !t.isWord() && (!t.isNumber() || len(path) == 0) {
			return nil, errorAt(t.at, "%s where a metric belongs; want such as answered.p99 or lost", t.described())
		}
		last := len(path) - 1
		if t.isNumber() && last >= 0 && percentile(path[last]) && !strings.Contains(path[last], ".") {
			path[last] += "." + t.text
		} else {
			path = append(path, t.text)
		}
		if !p.accept(".") {
			return path, nil
		}
	}
}

// listed joins names as a sentence does: "a, b or c".
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
