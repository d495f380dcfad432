package scenarios

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A setting is one key that a scenario may have. The table of settings is the
// one place where names, descriptions and bounds stand: reading, checking and
// the JSON Schema all work from it.
type setting struct {
	key      string
	about    string // one phrase, with the unit if the key does not name it
	value    value
	required bool  // where it applies at all
	when     *when // it applies only with certain values of a sibling
}

// A when ties a setting to the value of a choice in the same section.
type when struct {
	key string
	now func() string
	is  []string
}

func (w *when) holds() bool {
	if w == nil {
		return true
	}
	for _, v := range w.is {
		if v == w.now() {
			return true
		}
	}
	return false
}

// A value knows one kind of setting: how to check it and where to keep it.
type value interface {
	// want says what would be right.
	want() string
	// read keeps what n says. It returns false if n is not of this kind or out
	// of bounds; values with parts report what is wrong with a part themselves.
	read(r *reader, path string, n *node) bool
	// schema describes the value to editors and validators.
	schema(cat Catalog) object
}

// A reader carries what reading a tree has found out.
type reader struct {
	*problems
	places map[string]place // of the settings that were written, by path
	bad    map[string]bool  // settings whose values were refused
}

// where returns the place to blame for what several settings amount to: a flag
// if one is among them, else the first that was written, else the whole file.
func (r *reader) where(paths ...string) place {
	best := r.places[""]
	for i := len(paths) - 1; i >= 0; i-- {
		if at, ok := r.places[paths[i]]; ok && (best.line != 0 || at.line == 0) {
			best = at
		}
	}
	return best
}

// sound reports whether none of the settings has been refused.
func (r *reader) sound(paths ...string) bool {
	for _, p := range paths {
		if r.bad[p] {
			return false
		}
	}
	return true
}

// soundWithin reports whether none of the settings of a section has been refused.
func (r *reader) soundWithin(section string) bool {
	for path, bad := range r.bad {
		if bad && (path == section || strings.HasPrefix(path, section+".")) {
			return false
		}
	}
	return true
}

// wrote reports whether a setting was written rather than left to its default.
func (r *reader) wrote(path string) bool { _, ok := r.places[path]; return ok }

// under joins the path of a section and a key in it.
func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// A section is a mapping of settings. Its settings are made when they are first
// needed, since they may want a place to be made that values are kept in.
type section struct{ open func() []setting }

func (section) want() string { return "a section of settings" }

func (v section) read(r *reader, path string, n *node) bool {
	if n.kind != mapping {
		return false
	}
	settings := v.open()
	for _, e := range n.entries {
		v.entry(r, path, e, settings)
	}
	for _, s := range settings {
		v.applies(r, path, n, s)
	}
	return true
}

// entry reads one key of the section.
func (v section) entry(r *reader, path string, e entry, settings []setting) {
	keys := make([]string, len(settings))
	for i, s := range settings {
		if keys[i] = s.key; s.key != e.key {
			continue
		}
		full := under(path, e.key)
		r.places[full] = e.at
		if s.value.read(r, full, e.value) {
			return
		}
		r.bad[full] = true
		note, want := wanted(s.value, e.value)
		r.add(e.at, "%s is %s%s; want %s", full, e.value.describe(), note, want)
		return
	}
	in := "the scenario"
	if path != "" {
		in = path
	}
	r.add(e.at, "%s has no setting %s; want %s", in, quote(e.key), oneOf(e.key, keys))
}

// wanted says what there is to note about a node that is not what v wants, and
// what would be right, with a guess at what was meant.
func wanted(v value, n *node) (note, want string) {
	want = v.want()
	switch v := v.(type) {
	case interface{ names() []string }:
		want = oneOf(n.text, v.names())
	case span:
		if n.kind == scalar && number(n.text) {
			note, want = ", without a unit", strings.TrimLeft(n.text, "+-")+"s, or another duration from "+v.bounds()
		}
	case whole, big, float:
		if n.quoted {
			note = ", which is text"
		}
	}
	return note, want
}

// applies reports a setting that is there and must not be, or the reverse.
func (v section) applies(r *reader, path string, n *node, s setting) {
	full := under(path, s.key)
	if s.when != nil && r.bad[under(path, s.when.key)] {
		return
	}
	written := n.find(s.key) >= 0
	switch {
	case written && !s.when.holds():
		other := under(path, s.when.key)
		r.add(r.places[full], "%s does not go with %s %s; want %s there, or %s taken out",
			full, other, s.when.now(), oneOf("", s.when.is), s.key)
	case !written && s.required && s.when.holds():
		at := n.at
		if path == "" {
			at = r.places[""]
		}
		because := ""
		if s.when != nil {
			at, because = r.where(under(path, s.when.key), path), ", which goes with "+s.when.key+" "+s.when.now()
		}
		r.add(at, "%s is missing%s; want %s", full, because, s.value.want())
	}
}

// A text is a line of text.
type text struct {
	to   *string
	max  int  // characters
	name bool // it must fit namePattern
}

func (v text) want() string {
	if v.name {
		return "a name of at most 64 lower-case letters, digits and hyphens"
	}
	return "a line of text of at most " + strconv.Itoa(v.max) + " characters"
}

func (v text) read(_ *reader, _ string, n *node) bool {
	if n.kind != scalar || utf8.RuneCountInString(n.text) > v.max || strings.ContainsFunc(n.text, unprintable) ||
		v.name && !isName(n.text) {
		return false
	}
	*v.to = n.text
	return true
}

// linePattern is the form of a line of text: without line ends, escapes and
// characters that turn the direction of writing.
const linePattern = `^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$`

func unprintable(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// namePattern is the form of the names of scenarios, flows, brokers and
// parameters.
const namePattern = `^[a-z0-9][a-z0-9-]{0,63}$`

func isName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' {
		return false
	}
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return true
}

// A choice is one of a few words.
type choice[T ~string] struct {
	to *T
	of []T
}

func (v choice[T]) names() []string {
	names := make([]string, len(v.of))
	for i, o := range v.of {
		names[i] = string(o)
	}
	return names
}

func (v choice[T]) want() string { return oneOf("", v.names()) }

func (v choice[T]) read(_ *reader, _ string, n *node) bool {
	for _, o := range v.of {
		if n.kind == scalar && n.text == string(o) {
			*v.to = o
			return true
		}
	}
	return false
}

// A whole is a whole number.
type whole struct {
	to       *int
	min, max int
}

func (v whole) want() string {
	return "a whole number from " + strconv.Itoa(v.min) + " to " + strconv.Itoa(v.max)
}

func (v whole) read(_ *reader, _ string, n *node) bool {
	i, ok := n.whole()
	if !ok || i < uint64(v.min) || i > uint64(v.max) {
		return false
	}
	*v.to = int(i)
	return true
}

// whole returns a whole number that is written plainly: digits only, and no
// leading zero, which some readers of YAML take for octal.
func (n *node) whole() (uint64, bool) {
	if n.kind != scalar || n.quoted || len(n.text) > 1 && n.text[0] == '0' || strings.Trim(n.text, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.ParseUint(n.text, 10, 64)
	return i, err == nil
}

// A big is a whole number up to the largest that every reader of JSON keeps.
type big struct{ to *uint64 }

const maxBig = 1<<53 - 1

func (big) want() string { return "a whole number from 0 to " + strconv.Itoa(maxBig) }

func (v big) read(_ *reader, _ string, n *node) bool {
	i, ok := n.whole()
	if !ok || i > maxBig {
		return false
	}
	*v.to = i
	return true
}

// A float is a number.
type float struct {
	to       *float64
	min, max float64
}

func (v float) want() string {
	return "a number from " + formatFloat(v.min) + " to " + formatFloat(v.max)
}

func (v float) read(_ *reader, _ string, n *node) bool {
	if n.kind != scalar || n.quoted || !number(n.text) {
		return false
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || !(f >= v.min && f <= v.max) {
		return false
	}
	*v.to = f + 0 // which makes a plain zero of a negative one
	return true
}

// number reports whether text is a decimal number and nothing else that Go or
// YAML would take for one: no hexadecimal, no infinity.
func number(text string) bool {
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return false
	}
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && !math.IsInf(f, 0)
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// A span is a duration.
type span struct {
	to       *Duration
	min, max Duration
}

func (v span) want() string {
	return "a duration with its unit, from " + v.bounds()
}

func (v span) bounds() string { return v.min.String() + " to " + v.max.String() }

func (v span) read(_ *reader, _ string, n *node) bool {
	if n.kind != scalar {
		return false
	}
	d, ok := parseDuration(n.text)
	if !ok || d < v.min || d > v.max {
		return false
	}
	*v.to = d
	return true
}

// A names is a list of different names.
type names struct {
	to      *[]string
	max     int
	all     func(Catalog) []string
	example string
}

func (v names) want() string {
	return "a list of at most " + strconv.Itoa(v.max) + " names, such as [" + v.example + "]"
}

func (v names) read(r *reader, path string, n *node) bool {
	n = n.split()
	if n.kind != list || len(n.items) == 0 || len(n.items) > v.max {
		return false
	}
	*v.to = nil
	seen := map[string]bool{}
	for i, item := range n.items {
		var name string
		at := path + "[" + strconv.Itoa(i) + "]"
		r.places[at] = item.at
		switch {
		case !(text{to: &name, max: 64, name: true}).read(r, at, item):
			r.add(item.at, "%s is %s; want %s", at, item.describe(), text{name: true}.want())
		case seen[name]:
			r.add(item.at, "%s is in the list twice; want it once", quote(name))
		}
		seen[name] = true
		*v.to = append(*v.to, name)
	}
	return true
}

// A choices is the list of brokers, each a name or a section with the name and
// the broker's parameters. Which there are is for the plan to check.
type choices struct{ to *[]BrokerChoice }

const maxBrokers = 32

func (choices) want() string {
	return "a list of at most " + strconv.Itoa(maxBrokers) +
		" brokers, such as [nats] or [{name: jetstream, storage: file}]"
}

func (v choices) read(r *reader, path string, n *node) bool {
	n = n.split()
	if n.kind != list || len(n.items) > maxBrokers {
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

// item reads one broker of the list.
func (v choices) item(r *reader, path string, n *node) BrokerChoice {
	var b BrokerChoice
	name := text{to: &b.Name, max: 64, name: true}
	if n.kind != mapping {
		if !name.read(r, path, n) {
			r.add(n.at, "%s is %s; want a broker's name, or a section with name and parameters", path, n.describe())
		}
		return b
	}
	if n.find("name") < 0 {
		r.add(n.at, "%s has no name; want name: and a broker's name", path)
	}
	for _, e := range n.entries {
		full := under(path, e.key)
		r.places[full] = e.at
		switch {
		case e.key == "name":
			if !name.read(r, full, e.value) {
				r.add(e.at, "%s is %s; want %s", full, e.value.describe(), name.want())
			}
		case e.value.kind != scalar || len(e.value.text) > 256:
			r.add(e.at, "parameter %s is %s; want a single value", quote(e.key), e.value.describe())
		default:
			if b.Params == nil {
				b.Params = map[string]string{}
			}
			b.Params[e.key] = e.value.text
		}
	}
	return b
}

// A yesNo is true or false.
type yesNo struct{ to *bool }

func (yesNo) want() string { return "true or false" }

func (v yesNo) read(_ *reader, _ string, n *node) bool {
	if n.kind != scalar || n.quoted || n.text != "true" && n.text != "false" {
		return false
	}
	*v.to = n.text == "true"
	return true
}
