package report

import (
	"fmt"
	"regexp"
	"strings"
)

// styles are the style attributes of the figures of a page, each of which is thousands
// of times the same: they become classes, and the page half as large.
type styles struct {
	rule  map[string]string // the class of each
	sheet strings.Builder
}

// named returns an SVG with a class in place of each style.
func (s *styles) named(svg string) string {
	const begin, end = ` style="`, `"`
	return regexp.MustCompile(begin+`[^"]*`+end).ReplaceAllStringFunc(svg, func(style string) string {
		style = strings.TrimSuffix(strings.TrimPrefix(style, begin), end)
		if s.rule[style] == "" {
			s.rule[style] = fmt.Sprintf("f%d", len(s.rule))
			fmt.Fprintf(&s.sheet, "\n.%s { %s }", s.rule[style], style)
		}
		return ` class="` + s.rule[style] + `"`
	})
}
