package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Error is one thing that is wrong with a scenario, and its place. File is
// the name that was given to [Parse]; for a value from the command line it is
// the flag that set it, and Line is zero.
type Error struct {
	File         string
	Line, Column int    // counting from 1, in bytes of UTF-8 text
	Msg          string // what is wrong; what would be right
}

// Error returns the error as file:line:column: message, on one line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Errors are several things that are wrong, in the order of their places: first
// those of the file from top to bottom, then those of flags by name.
type Errors []*Error

// Error returns the errors one per line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes the single errors reachable for errors.As.
func (es Errors) Unwrap() []error {
	all := make([]error, len(es))
	for i, e := range es {
		all[i] = e
	}
	return all
}

// maxErrors bounds what one call reports, so that a hostile file cannot turn
// into an endless listing.
const maxErrors = 50

// A place is where a setting was written: in a file, or, with line zero, by a
// flag of the command line.
type place struct {
	file      string
	line, col int
}

// problems collects errors.
type problems struct{ list Errors }

// add notes that something is wrong at a place.
func (p *problems) add(at place, format string, args ...any) {
	p.list = append(p.list, &Error{at.file, at.line, at.col, fmt.Sprintf(format, args...)})
}

// err returns nil, the only error, or all of them in order and without repeats.
func (p *problems) err() error {
	inFlags := func(e *Error) int {
		if e.Line == 0 {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(inFlags(a), inFlags(b)), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.File, b.File), cmp.Compare(a.Msg, b.Msg))
	})
	list := slices.CompactFunc(p.list, func(a, b *Error) bool { return *a == *b })
	switch {
	case len(list) == 0:
		return nil
	case len(list) == 1:
		return list[0]
	case len(list) > maxErrors:
		last := *list[maxErrors]
		last.Msg = fmt.Sprintf("and %d errors more from here on; want these mended first", len(list)-maxErrors)
		return append(list[:maxErrors:maxErrors], &last)
	}
	return list
}

// quote writes text that a user gave into a message: quoted, so that it cannot
// carry terminal escapes or line ends, and short.
func quote(s string) string {
	const most = 40
	if r := []rune(s[:min(len(s), 4*most+4)]); len(r) > most {
		return strconv.Quote(string(r[:most]) + "…")
	}
	return strconv.Quote(s)
}

// oneOf lists what would be right, and what was probably meant by got.
func oneOf(got string, names []string) string {
	if len(names) == 0 {
		return "none"
	}
	list := names[0]
	if n := len(names); n > 1 {
		list = strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	if near := nearest(got, names); near != "" {
		return list + " (did you mean " + near + "?)"
	}
	return list
}

// nearest returns the name that is got but for a slip or two, and nothing if
// there is no such name.
func nearest(got string, names []string) string {
	if len(got) > 64 {
		return ""
	}
	best, least := "", len(got)+1
	for _, name := range names {
		d := distance(got, name)
		if strings.HasPrefix(name, got) && len(got) >= 3 || strings.HasPrefix(got, name) && len(name) >= 3 {
			d = min(d, 2)
		}
		if d <= max(1, min(len(got), len(name))/3+1) && d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of single-byte edits between a and b; swapping two
// neighbours counts as one edit.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
