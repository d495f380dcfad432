package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// helpOf returns what the program prints in a terminal of a width.
func helpOf(t *testing.T, width int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	sh := shell{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }, width: width}
	if code := run(t.Context(), sh, args); code != 0 {
		t.Fatalf("flowbench %v exits with %d: %s", args, code, errs.String())
	}
	return out.String()
}

func TestHelpFitsTheTerminalAndSaysNothingEmpty(t *testing.T) {
	calls := [][]string{{"--help"}, {"list", "metrics"}}
	for _, v := range verbs() {
		calls = append(calls, []string{v.name, "--help"})
	}
	for _, width := range []int{80, 120} {
		for _, args := range calls {
			t.Run(fmt.Sprint(width, args), func(t *testing.T) {
				help := helpOf(t, width, args...)
				for line := range strings.Lines(help) {
					line = strings.TrimRight(line, "\n")
					if n := utf8.RuneCountInString(line); n > width {
						t.Errorf("a line has %d characters: %q", n, line)
					}
				}
				for _, nonsense := range []string{"(default )", "[=true|false]", `[="`} {
					if strings.Contains(help, nonsense) {
						t.Errorf("it says %q:\n%s", nonsense, help)
					}
				}
			})
		}
	}
}

func TestHelpShowsAFlagAsItIsWritten(t *testing.T) {
	help := helpOf(t, 80, "run", "--help")
	for _, want := range []string{"--live[=ADDR] ", "--quick ", "--rate float "} {
		if !strings.Contains(help, want) {
			t.Errorf("it lacks %q:\n%s", want, help)
		}
	}
}
