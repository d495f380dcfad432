package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns s as one line of printable text. It removes terminal escape
// sequences as a whole, control characters, and the invisible characters that
// reorder or hide text; it turns line breaks and tabs into spaces and bytes that
// are not UTF-8 into U+FFFD.
func Clean(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if n := escapeLen(s); n > 0 {
			s = s[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

// escapeLen returns the length of the terminal escape sequence that s begins
// with, or 0. A sequence that is cut short extends to the end of s: a terminal
// would swallow what is printed next.
func escapeLen(s string) int {
	var lead, kind int
	switch {
	case strings.HasPrefix(s, "\x1b"):
		if len(s) == 1 {
			return 1
		}
		lead, kind = 2, int(s[1])
	case strings.HasPrefix(s, "\u009b"): // the same, as one control character
		lead, kind = 2, '['
	case strings.HasPrefix(s, "\u009d"), strings.HasPrefix(s, "\u0090"):
		lead, kind = 2, ']'
	default:
		return 0
	}
	switch kind {
	case '[':
		return lead + controlLen(s[lead:])
	case ']', 'P', 'X', '^', '_':
		return lead + stringLen(s[lead:])
	}
	if kind < ' ' || kind > '~' {
		return 1 // a lone escape; what follows stands for itself
	}
	n := 1
	for n < len(s) && s[n] >= ' ' && s[n] <= '/' {
		n++
	}
	return min(n+1, len(s))
}

// controlLen returns the length of a control sequence after its introducer:
// parameters, then one final byte.
func controlLen(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '@' && c <= '~':
			return i + 1
		case c < ' ' || c > '~':
			return i // not a sequence after all; keep what follows
		}
	}
	return len(s)
}

// stringLen returns the length of a string sequence after its introducer, such
// as a window title, its terminator included.
func stringLen(s string) int {
	for i := range len(s) {
		switch {
		case s[i] == '\a':
			return i + 1
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return i + 2
		}
	}
	return len(s)
}

// Elide shortens s to at most n characters and shows with an ellipsis that it
// did. It cuts the middle, because names differ at their ends.
func Elide(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if n < 2 {
		return "…"
	}
	tail := (n - 1) / 2
	return string(r[:n-1-tail]) + "…" + string(r[len(r)-tail:])
}
