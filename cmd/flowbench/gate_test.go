package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// actionScript returns the script of the action's step that has an id, as a shell gets
// it.
func actionScript(t *testing.T, id string) string {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, step, ok := strings.Cut(string(text), "- id: "+id+"\n")
	_, step, found := strings.Cut(step, "      run: |\n")
	if !ok || !found {
		t.Fatalf("the action has no step %s with a script", id)
	}
	var script strings.Builder
	for line := range strings.Lines(step) {
		code, inside := strings.CutPrefix(line, "        ")
		if !inside {
			break
		}
		script.WriteString(code)
	}
	return script.String()
}

// gate runs what the action runs, and returns its exit code, as the action tells it,
// and the directory that it worked in. The binary is built into temp.
func gate(t *testing.T, temp string, env ...string) (code, dir string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	script := actionScript(t, "gate")
	c := exec.CommandContext(t.Context(), bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	c.Dir = dir
	c.Env = append(os.Environ(), "ACTION="+root, "SCENARIO=ci", "ARGUMENTS=", "BASELINE=", "OLD_BINARY=", "OUT=out",
		"RUNNER_TEMP="+temp, "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "page.md"),
		"GITHUB_OUTPUT="+filepath.Join(dir, "output"), "FLOWBENCH_ATTEMPTS=1")
	c.Env = append(c.Env, env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("run the action's step: %v\n%s", err, out)
	}
	output, err := os.ReadFile(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(output), "exit-code=")), dir
}

func TestTheActionLeavesASummaryAReportAndAnExitCode(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds flowbench and runs it")
	}
	const quick = "--flows direct --repeat 1 --duration 1s --set load.rate_per_s=100"
	temp := t.TempDir() // one, so that the binary is built once
	for _, tt := range []struct {
		about, arguments string
		codes            []string // of a quiet machine, and of a busy one
		files            []string
	}{
		{"all holds", quick, []string{"0", "2"},
			[]string{"page.md", "out/summary.md", "out/junit.xml", "out/report.html"}},
		{"an expectation fails", quick + " --expect due==0", []string{"1"}, []string{"page.md", "out/junit.xml"}},
		{"a slip", quick + " --expect losst==0", []string{"3"}, nil},
	} {
		code, dir := gate(t, temp, "ARGUMENTS="+tt.arguments)
		if !strings.Contains(strings.Join(tt.codes, " "), code) {
			t.Errorf("%s: the exit code is %s; want %s", tt.about, code, tt.codes)
		}
		for _, f := range tt.files {
			text, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil || len(text) == 0 {
				t.Errorf("%s: %s is missing or empty: %v", tt.about, f, err)
			}
		}
		if page, _ := os.ReadFile(filepath.Join(dir, "page.md")); tt.files != nil &&
			!strings.Contains(string(page), "### flowbench ci") {
			t.Errorf("%s: the page of the job says\n%s", tt.about, page)
		}
		if _, err := os.Stat(filepath.Join(dir, "out")); tt.files == nil && err == nil {
			t.Errorf("%s: a run was written", tt.about)
		}
	}
}

// TestTheGateTriesAgainWhereThereIsNoVerdict runs the gate with a program that ends with
// one code after the other, and notes each call. The program is not written here: one that
// has just been written cannot be run while another test forks.
func TestTheGateTriesAgainWhereThereIsNoVerdict(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	for _, tt := range []struct {
		about string
		codes string // of the calls, in turn
		code  int
		calls int
	}{
		{"a verdict at once", "0", 0, 1},
		{"a verdict in the end", "2 2 0", 0, 3},
		{"a failure after no verdict", "2 1", 1, 2},
		{"no verdict at all", "2 2 2 2", 2, 4},
		{"what is missing does not come by trying", "4", 4, 1},
	} {
		dir := t.TempDir()
		noted := filepath.Join(dir, "calls")
		c := exec.CommandContext(t.Context(), bash, "../../.ci/gate",
			"testdata/codes", filepath.Join(dir, "out"), "run", "x")
		c.Env = append(os.Environ(), "FLOWBENCH_ATTEMPTS=4", "FLOWBENCH_PAUSE_S=0", "GITHUB_STEP_SUMMARY=",
			"CODES="+tt.codes, "CALLS="+noted)
		out, err := c.CombinedOutput()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatalf("%s: run the gate: %v\n%s", tt.about, err, out)
		}
		calls, _ := os.ReadFile(noted)
		if code, n := c.ProcessState.ExitCode(), strings.Count(string(calls), "\n"); code != tt.code || n != tt.calls {
			t.Errorf("%s: exit code %d after %d calls; want %d after %d\n%s", tt.about, code, n, tt.code, tt.calls, out)
		}
	}
}

func TestTheActionHasADefaultForEveryInput(t *testing.T) {
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, inputs, _ := strings.Cut(string(text), "inputs:\n")
	inputs, rest, _ := strings.Cut(inputs, "outputs:\n")
	for _, name := range []string{"scenario", "arguments", "baseline", "old-binary", "out", "artifact"} {
		if !strings.Contains(inputs, fmt.Sprintf("  %s:\n", name)) || !strings.Contains(rest, "inputs."+name) {
			t.Errorf("input %s is not declared, or not used", name)
		}
	}
	if n := strings.Count(inputs, "default: "); n != 6 {
		t.Errorf("%d inputs have a default; want 6", n)
	}
}
