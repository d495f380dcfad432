package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"flowbench/scenarios"
)

// update tells tests to rewrite what they compare with.
var update = flag.Bool("update", false, "rewrite golden files and generated docs")

// callProgram runs the program in this process.
func callProgram(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	return callProgramUntil(t.Context(), args...)
}

// callProgramUntil is callProgram with a context that ends the program.
func callProgramUntil(ctx context.Context, args ...string) (code int, stderr string) {
	var out, errs bytes.Buffer
	sh := shell{
		stdin:  strings.NewReader(""),
		stdout: &out,
		stderr: &errs,
		getenv: func(string) string { return "" },
		width:  100,
	}
	code = run(ctx, sh, args)
	return code, errs.String()
}

// TestBrokenScenariosAreErrorsOfUsageWithTheirPlace runs every broken scenario
// that the parser's tests have.
func TestBrokenScenariosAreErrorsOfUsageWithTheirPlace(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/testdata/broken/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d broken scenarios, %v; want at least 30", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			code, stderr := callProgram(t, "run", f, "--out", out)
			if code != int(exitUsage) {
				t.Errorf("exit code is %d; want %d\n%s", code, exitUsage, stderr)
			}
			if place := regexp.MustCompile(regexp.QuoteMeta(f) + `:\d+:\d+: `); !place.MatchString(stderr) {
				t.Errorf("no place in the error:\n%s", stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a run directory was made")
			}
		})
	}
}

// TestEveryLibraryScenarioPlans uses the real registries, where the tests of
// package scenarios use their own.
func TestEveryLibraryScenarioPlans(t *testing.T) {
	for _, e := range scenarios.Library() {
		if code, stderr := callProgram(t, "validate", e.Name); code != 0 {
			t.Errorf("%s is not valid:\n%s", e.Name, stderr)
		}
	}
}

func TestCommandLinesAreRecordedWithoutCredentials(t *testing.T) {
	got := strings.Join(redactLine([]string{
		"run", "--broker-url", "rabbitmq=amqp://u:planted@127.0.0.1:5672/v",
		"--broker-url=nats=nats://token@127.0.0.1:4222,nats://b@[::1]:1",
		"--rate", "5",
	}), " ")
	for _, secret := range []string{"planted", "token", "b@"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is still in %s", secret, got)
		}
	}
	for _, kept := range []string{"rabbitmq=amqp://127.0.0.1:5672", "nats://[::1]:1", "--rate 5"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is missing in %s", kept, got)
		}
	}
}
