package scenarios

import (
	"strconv"
	"strings"
)

// A node is one value of a scenario's text: a scalar, a list, a section or
// nothing. Flags edit the tree of nodes before it is read, so that what they
// set passes the same checks as what the file says.
type node struct {
	kind    kind
	at      place
	text    string // of a scalar
	quoted  bool   // of a scalar: it is text whatever it looks like
	items   []*node
	entries []entry // of a section, in the order of the file
}

// An entry is one key of a section and its value. The key's place is the place
// of all errors about the value.
type entry struct {
	key   string
	at    place
	value *node
}

type kind uint8

const (
	nothing kind = iota
	scalar
	list
	mapping
)

// describe says what a node is, for messages.
func (n *node) describe() string {
	switch n.kind {
	case nothing:
		return "empty"
	case list:
		if len(n.items) == 0 {
			return "an empty list"
		}
		return "a list of " + strconv.Itoa(len(n.items))
	case mapping:
		return "a section"
	}
	if n.quoted || !plainWord(n.text) {
		return quote(n.text)
	}
	return n.text
}

// plainWord reports whether text can stand in a message without quotes.
func plainWord(text string) bool {
	return text != "" && len(text) <= 40 && strings.Trim(text, wordBytes) == ""
}

const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_"

// place gives a node and all below it one place: the flag that set them.
func (n *node) place(at place) {
	n.at = at
	for _, item := range n.items {
		item.place(at)
	}
	for i := range n.entries {
		n.entries[i].at = at
		n.entries[i].value.place(at)
	}
}

// find returns the index of a key in a section, or -1.
func (n *node) find(key string) int {
	for i, e := range n.entries {
		if e.key == key {
			return i
		}
	}
	return -1
}
