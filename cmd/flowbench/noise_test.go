package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheNoiseFloorOfARunIsKeptAndUsed takes it from a simulation that says that it is
// none: a real run might find the machine of the test too busy.
func TestTheNoiseFloorOfARunIsKeptAndUsed(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, run := range []struct{ name, seed, mean string }{{"a", "1", "1ms"}, {"b", "2", "1.2ms"}} {
		code, errs := callProgram(t, "simulate", "compare", "--flows=direct", "--duration=8s", "--repeat=8",
			"--no-progress", "--seed="+run.seed, "--set=service.time.mean="+run.mean, "--out="+at(run.name))
		if code != int(exitOK) {
			t.Fatalf("simulate ended with %d: %s", code, errs)
		}
		text, err := os.ReadFile(filepath.Join(at(run.name), "run.json"))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte(`"simulated": true`), []byte(`"simulated": false`), 1)
		if err := os.WriteFile(filepath.Join(at(run.name), "run.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, errs := callProgram(t, "noise", "--from", at("a"), "--floor", at("noise.json"))
	if code != int(exitOK) {
		t.Fatalf("noise ended with %d: %s", code, errs)
	}
	text, err := os.ReadFile(at("noise.json"))
	if err != nil || !strings.Contains(string(text), "command answered p50") {
		t.Fatalf("the file holds %q, %v", text, err)
	}
	compare := func() int {
		code, errs := callProgram(t, "compare", at("a"), at("b"), "--noise", at("noise.json"))
		if errs != "" {
			t.Errorf("compare says: %s", errs)
		}
		return code
	}
	if code := compare(); code != int(exitExpectation) {
		t.Errorf("20 %% slower with the floor of that machine ended with %d; want 1", code)
	}
	loud := bytes.ReplaceAll(text, []byte(`: 0.0`), []byte(`: 9.0`))
	if err := os.WriteFile(at("noise.json"), loud, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := compare(); code != int(exitOK) {
		t.Errorf("20 %% slower on a machine with a floor of 900 %% ended with %d; want 0", code)
	}
	if code, errs := callProgram(t, "compare", at("a"), at("b"), "--noise", at("nowhere")); code != int(exitUsage) {
		t.Errorf("a noise floor that is not there ended with %d: %s", code, errs)
	}
}
