package graphqledge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/flows"
)

// TestTheClientOfOthersAgrees runs the npm client graphql-ws against the edge. It
// installs the client, of the version in the lock file, beside a copy of the
// test. Without node or npm there is nothing to run, which is an error in CI.
func TestTheClientOfOthersAgrees(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "conformance.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "npm", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	without := t.Skipf
	if os.Getenv("CI") == "true" {
		without = t.Fatalf
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			without("run the npm client: %v", err)
		}
	}
	text, err := program(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	if err != nil {
		without("install the npm client: %v\n%s", err, text)
	}
	var ended atomic.Int64
	address := listening(t, greeting, talking(&ended))
	impatient := listening(t, time.Millisecond, talking(&ended))
	text, err = program(t, dir, "node", "conformance.mjs", "ws://"+address+path, "ws://"+impatient+path)
	t.Log(text)
	if err != nil {
		t.Error(err)
	}
}

// program runs a program in dir and returns what it says.
func program(t *testing.T, dir, name string, args ...string) (text string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.WaitDelay = dir, 10*time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

var errNo = errors.New("no")

// talking returns the endpoint that conformance.mjs knows. It counts the watches
// of "waits" that have ended.
func talking(ended *atomic.Int64) flows.Endpoint {
	return func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			say := func(text string) bool { return yield(flows.Answer{Body: []byte(text)}, nil) }
			switch {
			case c.Verb == flows.Submit:
				say(string(c.Body))
			case c.Verb == flows.Watch && c.Kind == flows.Command:
				_ = yield(flows.Answer{Status: flows.Pending}, nil) && say(string(c.Body))
			case c.Key == "fails":
				if c.Verb != flows.Watch || say("0") {
					yield(flows.Answer{}, flows.Fail(flows.Rejected, errNo))
				}
			case c.Key == "ended":
				say(fmt.Sprint(ended.Load()))
			case c.Key == "count":
				for i := 0; i < 100 && say(fmt.Sprint(i)); i++ {
				}
			case c.Key == "waits":
				if say("0") {
					<-ctx.Done()
				}
				ended.Add(1)
			default:
				say(c.Key)
			}
		}
	}
}

// TestTheLockFileNamesNoOtherRegistry keeps machines and their mirrors out.
func TestTheLockFileNamesNoOtherRegistry(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "npm", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"resolved"`) && !strings.Contains(line, `"https://registry.npmjs.org/`) {
			t.Errorf("%s is resolved elsewhere", strings.TrimSpace(line))
		}
	}
}
