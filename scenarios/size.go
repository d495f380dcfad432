package scenarios

import (
	"strconv"
	"strings"
)

// The units that sizes are written in.
const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

// formatSize writes a number of bytes in the largest unit that it is a whole
// number of.
func formatSize(n int) string {
	switch {
	case n >= mebibyte && n%mebibyte == 0:
		return strconv.Itoa(n/mebibyte) + "MiB"
	case n >= kibibyte && n%kibibyte == 0:
		return strconv.Itoa(n/kibibyte) + "KiB"
	default:
		return strconv.Itoa(n)
	}
}

// parseSize reads a number of bytes, with or without a unit.
func parseSize(text string) (int, bool) {
	unit := 1
	for suffix, factor := range map[string]int{"KiB": kibibyte, "MiB": mebibyte} {
		if digits, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = digits, factor
		}
	}
	n := node{kind: scalar, text: text}
	i, ok := n.whole()
	if !ok || i > uint64(1<<40) {
		return 0, false
	}
	return int(i) * unit, true
}

// sizePattern is the form of a size with a unit.
const sizePattern = `^(0|[1-9][0-9]{0,11})(KiB|MiB)$`

// A size is a number of bytes: a whole number, or one with a unit.
type size struct {
	to       *int
	min, max int
}

func (v size) want() string {
	return "a number of bytes from " + formatSize(v.min) + " to " + formatSize(v.max) + ", such as 4096 or 64KiB"
}

func (v size) read(_ *reader, _ string, n *node) bool {
	if n.kind != scalar || n.quoted {
		return false
	}
	b, ok := parseSize(n.text)
	if !ok || b < v.min || b > v.max {
		return false
	}
	*v.to = b
	return true
}

func (v size) schema(Catalog) object {
	return object{"anyOf": []object{
		{"type": "integer", "minimum": v.min, "maximum": v.max},
		{"type": "string", "pattern": sizePattern},
	}, "default": *v.to}
}

// A sizes is a list of different numbers of bytes.
type sizes struct {
	to       *[]int
	most     int
	min, max int
}

func (v sizes) want() string {
	return "a list of at most " + strconv.Itoa(v.most) + " sizes, such as [1KiB, 64KiB, 4MiB]"
}

func (v sizes) read(r *reader, path string, n *node) bool {
	n = n.split()
	if n.kind != list || len(n.items) == 0 || len(n.items) > v.most {
		return false
	}
	*v.to = nil
	seen := map[int]bool{}
	for i, item := range n.items {
		var one int
		at, each := path+"["+strconv.Itoa(i)+"]", size{&one, v.min, v.max}
		r.places[at] = item.at
		switch {
		case !each.read(r, at, item):
			r.add(item.at, "%s is %s; want %s", at, item.describe(), each.want())
		case seen[one]:
			r.add(item.at, "%s is in the list twice; want it once", formatSize(one))
		}
		seen[one] = true
		*v.to = append(*v.to, one)
	}
	return true
}

func (v sizes) schema(cat Catalog) object {
	one := size{new(int), v.min, v.max}.schema(cat)
	delete(one, "default")
	return object{"type": "array", "minItems": 1, "maxItems": v.most, "uniqueItems": true, "items": one}
}
