package scenarios

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// updating reports whether -update asks to rewrite expected files.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the expected files in testdata")
	flag.Parse()
	os.Exit(m.Run())
}

// brokenFiles returns the paths of the broken scenarios.
func brokenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d broken scenarios, error %v; want at least 30", len(files), err)
	}
	return files
}

// parseAndPlan returns what is wrong with a scenario.
func parseAndPlan(name string, data []byte, overrides ...Override) error {
	s, err := Parse(name, data, overrides...)
	if err == nil {
		_, err = s.Plan(testCatalog())
	}
	return err
}

// all returns the single errors in err, each of which must be an *Error with a
// place and a word on what would be right.
func all(t testing.TB, err error) []*Error {
	t.Helper()
	var list Errors
	var one *Error
	if !errors.As(err, &list) && errors.As(err, &one) {
		list = Errors{one}
	}
	if len(list) == 0 {
		t.Fatalf("the error is %#v; want *Error or Errors", err)
	}
	for _, e := range list {
		flagged := e.Line == 0 && strings.HasPrefix(e.File, "--")
		if !flagged && (e.Line < 1 || e.Column < 1) {
			t.Errorf("%v stands at line %d, column %d; want a place", e, e.Line, e.Column)
		}
		if !strings.Contains(e.Msg, "; want ") || strings.ContainsAny(e.Msg, "\n\r\x1b") {
			t.Errorf("the message %q is not one line that says what is wrong; want what would be right", e.Msg)
		}
	}
	return list
}

func TestEveryBrokenScenarioIsRefusedWithItsPlace(t *testing.T) {
	for _, file := range brokenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			err = parseAndPlan(filepath.Base(file), data)
			if err == nil {
				t.Fatal("the scenario is accepted; want an error")
			}
			list := all(t, err)
			if several := strings.HasPrefix(filepath.Base(file), "several"); several != (len(list) > 1) {
				t.Errorf("got %d errors; want several if the file is named so, else one:\n%v", len(list), err)
			}
			matches(t, strings.TrimSuffix(file, ".yaml")+".err", []byte(err.Error()+"\n"))
		})
	}
}

// matches compares got with a file of testdata, or rewrites the file.
func matches(t *testing.T, file string, got []byte) {
	t.Helper()
	if updating() {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; if the change is meant, run go test -update (-want +got):\n%s", file, diff)
	}
}

func TestAFileThatIsTooLargeIsRefusedUnread(t *testing.T) {
	err := parseAndPlan("large.yaml", bytes.Repeat([]byte("#"), maxBytes+1))
	const want = "large.yaml:1:1: the file has 1048577 bytes; want at most 1048576"
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestAFloodOfErrorsIsCutShort(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: flood\nflows: [direct]\n")
	for i := range 5000 {
		b.WriteString("x" + strings.Repeat("y", i%9) + strings.Repeat("z", i/9%30) + string(rune('a'+i%26)) + ": 1\n")
	}
	list := all(t, parseAndPlan("flood.yaml", []byte(b.String())))
	if len(list) != maxErrors+1 || !strings.Contains(list[maxErrors].Msg, "errors more") {
		t.Errorf(
			"got %d errors, the last %v; want %d and a word on the others",
			len(list),
			list[len(list)-1],
			maxErrors,
		)
	}
}
