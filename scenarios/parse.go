package scenarios

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of a scenario's text. They keep a hostile file from costing more
// than a glance.
const (
	maxBytes = 1 << 20
	maxDepth = 32
)

// Parse reads a scenario. The name is that of the file, for errors; overrides
// are applied in order before anything is checked. Parse accepts only what it
// understands completely: every error is an [*Error], and several are [Errors].
func Parse(name string, data []byte, overrides ...Override) (*Scenario, error) {
	root, err := parseNodes(name, data)
	if err != nil {
		return nil, err
	}
	var p problems
	if root.kind != mapping {
		p.add(root.at, "the file is %s; want settings, such as name: compare", root.describe())
		return nil, p.err()
	}
	for _, o := range overrides {
		o.edit(root, &p)
	}
	s := defaults()
	s.source = name
	s.places = map[string]place{"": {name, 1, 1}}
	r := reader{problems: &p, places: s.places, bad: map[string]bool{}}
	section{s.settings}.read(&r, "", root)
	s.settle(&r)
	if err := p.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// parseNodes turns YAML text into nodes. Nothing else in the package knows the
// YAML library. Of YAML it takes the plain part: one document, no anchors, no
// aliases, no tags, every key once.
func parseNodes(name string, data []byte) (*node, error) {
	var p problems
	start := place{name, 1, 1}
	if len(data) > maxBytes {
		p.add(start, "the file has %d bytes; want at most %d", len(data), maxBytes)
		return nil, p.err()
	}
	if at, ok := readable(name, data); !ok {
		p.add(at, "the byte here is not text; want UTF-8 without control characters")
		return nil, p.err()
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, &Error{name, 1, 1, err.Error()}
	}
	var doc, next yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		p.add(start, "the file is empty; want a scenario, such as name: mine and flows: [direct]")
		return nil, p.err()
	} else if err != nil {
		return nil, syntaxError(start, err)
	}
	if err := loader.Load(&next); err == nil {
		at := place{name, max(1, next.Line), max(1, next.Column)}
		p.add(at, "a second document begins here; want one scenario in a file")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(start, err)
	}
	root := convert(doc.Content[0], name, 1, &p)
	if err := p.err(); err != nil {
		return nil, err
	}
	return root, nil
}

// readable reports whether data is UTF-8 text, and else where it is not.
func readable(name string, data []byte) (place, bool) {
	at := place{name, 1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		control := r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0
		if r == utf8.RuneError && size == 1 || control {
			return at, false
		}
		if at.col++; r == '\n' {
			at.line, at.col = at.line+1, 1
		}
		i += size
	}
	return at, true
}

// syntaxError words an error of the YAML library in the manner of this package.
func syntaxError(at place, err error) error {
	msg := err.Error()
	var load *yaml.LoadError
	if errors.As(err, &load) {
		msg = load.Message
		if load.Mark.Line > 0 {
			at.line, at.col = load.Mark.Line, max(1, load.Mark.Column)
		}
	}
	var p problems
	switch {
	case strings.Contains(msg, "max depth"):
		p.add(at, "%s", tooDeep())
	case strings.Contains(msg, "anchor"):
		p.add(at, "%s", noAliases)
	default:
		p.add(at, "this is not YAML: %s; want keys and values, such as name: compare", oneLine(msg))
	}
	return p.err()
}

func oneLine(msg string) string { return strings.Join(strings.Fields(msg), " ") }

func tooDeep() string { return "this is nested too deeply; want at most 32 levels" }

const noAliases = "anchors and aliases are not used in scenarios; want the value written out"

// convert checks a YAML node and turns it into one of this package.
func convert(y *yaml.Node, name string, depth int, p *problems) *node {
	n := &node{at: place{name, y.Line, y.Column}}
	switch {
	case depth > maxDepth:
		p.add(n.at, "%s", tooDeep())
		return n
	case y.Kind == yaml.AliasNode || y.Anchor != "":
		p.add(n.at, noAliases)
		return n
	case y.Style&yaml.TaggedStyle != 0 || strings.HasPrefix(y.Tag, "!") && !strings.HasPrefix(y.Tag, "!!"):
		p.add(n.at, "tags such as !!str are not used in scenarios; want the plain value, in quotes if it is text")
		return n
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		convertEntries(n, y, name, depth, p)
	case yaml.SequenceNode:
		n.kind = list
		for _, c := range y.Content {
			n.items = append(n.items, convert(c, name, depth+1, p))
		}
	default:
		n.text = y.Value
		n.quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if n.quoted || y.ShortTag() != "!!null" {
			n.kind = scalar
		}
	}
	return n
}

func convertEntries(n *node, y *yaml.Node, name string, depth int, p *problems) {
	seen := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		key := convert(k, name, depth+1, p)
		if key.kind == list || key.kind == mapping {
			p.add(key.at, "this key is %s; want a word", key.describe())
			continue
		}
		if first, ok := seen[key.text]; ok {
			p.add(key.at, "%s is set twice, first in line %d; want it once", quote(key.text), first)
			continue
		}
		seen[key.text] = key.at.line
		n.entries = append(n.entries, entry{key.text, key.at, convert(y.Content[i+1], name, depth+1, p)})
	}
}
