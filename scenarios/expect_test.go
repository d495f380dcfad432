package scenarios_test

import (
	"errors"
	"strings"
	"testing"

	"flowbench/scenarios"
)

func TestSlipsOnTheCommandLineArePointedAt(t *testing.T) {
	wrong := errors.New("it is wrong")
	long := strings.Repeat("x", 101)
	for _, tt := range []struct {
		about, statement string
		offset           int
		want             string
	}{
		{"at the beginning", "lots == 0", 0, "\"lots == 0\": at character 1: it is wrong\n    lots == 0\n    ^"},
		{"behind the end", "lost ==", 7, "\"lost ==\": at character 8: it is wrong\n    lost ==\n           ^"},
		{"in characters, not bytes", "5µs x", 5, "\"5µs x\": at character 5: it is wrong\n    5µs x\n        ^"},
		{"what steers a terminal is not shown", "\x1b[2J", 0, `"\x1b[2J": at character 1: it is wrong`},
		{"nor what is no text", "\xff", 0, `"\xff": at character 1: it is wrong`},
		{"nor what is longer than a line", long, 3, `"` + long[:40] + `…": at character 4: it is wrong`},
		{"an offset beyond the end is the end", "a", 9, "\"a\": at character 2: it is wrong\n    a\n     ^"},
	} {
		if got := scenarios.PointAt(tt.statement, tt.offset, wrong); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.about, got, tt.want)
		}
	}
}
