package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Expectation is a statement about what a run measures, which it is judged by in
// the end. What may be stated is for a [Catalog] to know.
type Expectation struct {
	Statement string `json:"statement"`
	Abort     bool   `json:"abort,omitempty"` // end the run when it can no longer hold
	Asked     bool   `json:"asked,omitempty"` // on the command line, not by the scenario
}

// expectList is a list of expectations, each a statement, or a section with the
// statement and whether the run is to end when it can no longer hold.
type expectList struct{ to *[]Expectation }

const (
	maxExpectations = 100
	maxStatement    = 500 // bytes
	expectFlag      = "--expect"
)

func (expectList) want() string {
	return "a list of at most " + strconv.Itoa(maxExpectations) + " statements, such as [lost == 0]"
}

func (v expectList) read(r *reader, path string, n *node) bool {
	if n.kind != list || len(n.items) > maxExpectations {
		return false
	}
	*v.to = nil
	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"
		r.places[at] = item.at
		*v.to = append(*v.to, v.item(r, at, item))
	}
	return true
}

func (v expectList) item(r *reader, path string, n *node) Expectation {
	e := Expectation{Asked: n.at.file == expectFlag}
	statement := text{to: &e.Statement, max: maxStatement}
	if n.kind != mapping {
		if !statement.read(r, path, n) || e.Statement == "" {
			r.add(n.at, "%s is %s; want a statement such as lost == 0, or a section with statement and abort",
				path, n.describe())
		}
		r.places[path] = n.inside()
		return e
	}
	if n.find("statement") < 0 {
		r.add(n.at, "%s has no statement; want such as statement: lost == 0", path)
	}
	for _, o := range n.entries {
		full := under(path, o.key)
		r.places[full] = o.at
		switch {
		case o.key == "statement":
			if !statement.read(r, full, o.value) || e.Statement == "" {
				r.add(o.at, "%s is %s; want %s", full, o.value.describe(), statement.want())
			}
			r.places[path] = o.value.inside()
		case o.key != "abort":
			r.add(
				o.at,
				"%s has no setting %s; want %s",
				path,
				quote(o.key),
				oneOf(o.key, []string{"statement", "abort"}),
			)
		case !(yesNo{&e.Abort}).read(r, full, o.value):
			r.add(o.at, "%s is %s; want %s", full, o.value.describe(), yesNo{}.want())
		}
	}
	return e
}

// inside returns the place of a scalar's first character.
func (n *node) inside() place {
	at := n.at
	if n.quoted && at.line > 0 {
		at.col++
	}
	return at
}

func (v expectList) schema(Catalog) object {
	statement := object{"type": "string", "minLength": 1, "maxLength": maxStatement, "pattern": linePattern,
		"description": "see docs/expectations.md"}
	whole := object{"type": "object", "additionalProperties": false, "required": []string{"statement"},
		"properties": object{
			"statement": statement,
			"abort": object{"type": "boolean", "default": false,
				"description": "end the run when the statement can no longer hold"},
		}}
	return object{"type": "array", "maxItems": maxExpectations, "items": object{"anyOf": []object{statement, whole}}}
}

// AddExpectation is the override of the flag --expect, which adds a statement to
// those of the scenario.
func AddExpectation(statement string) Override { return Override{"expect", statement, expectFlag} }

// addExpectation adds a statement to the tree. It is taken as it is, whatever it
// would mean in YAML.
func addExpectation(root *node, statement string) {
	at := place{file: expectFlag}
	item := &node{kind: scalar, text: statement, quoted: true, at: at}
	i := root.find("expect")
	if i < 0 || root.entries[i].value.kind != list {
		root.entries = append(root.entries, entry{"expect", at, &node{kind: list, at: at, items: []*node{item}}})
		return
	}
	all := *root.entries[i].value
	all.items = append(all.items[:len(all.items):len(all.items)], item)
	root.entries[i].value = &all
}

// expectations checks the scenario's expectations against the cells. Those of the
// scenario that concern none of them, because the command line leaves out what they
// are about, are left out as well.
func (b *planner) expectations() []Expectation {
	if b.cat.Expectation == nil {
		return nil
	}
	var all []Expectation
	for i, e := range b.s.Expect {
		at := b.place(item("expect", i))
		concerns, offset, err := b.cat.Expectation(e.Statement, b.list)
		switch {
		case err != nil && at.line == 0:
			b.add(at, "%s", PointAt(e.Statement, offset, err))
		case err != nil:
			at.col += offset
			b.add(at, "%v", err)
		case concerns:
			all = append(all, e)
		case e.Asked:
			b.add(at, "%s: no cell of this run is one that it is about; want one that is", quote(e.Statement))
		}
	}
	return all
}

// shownStatement is how long a statement may be, in characters, to be shown with a
// mark below it on a line of a terminal.
const shownStatement = 100

// PointAt says what is wrong with a statement that stands in no file: err, which is at
// the offset in bytes. The statement follows, with a mark below the character, unless
// it is too long for a line or has something in it that terminals do not print.
func PointAt(statement string, offset int, err error) string {
	before := utf8.RuneCountInString(statement[:min(offset, len(statement))])
	s := fmt.Sprintf("%s: at character %d: %v", quote(statement), before+1, err)
	hidden := strings.ContainsFunc(statement, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) })
	if hidden || utf8.RuneCountInString(statement) > shownStatement {
		return s
	}
	return s + "\n    " + statement + "\n    " + strings.Repeat(" ", before) + "^"
}
