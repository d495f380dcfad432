package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/results/expect"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/drivers"
)

// expectFlags are the flags about what is expected of results.
type expectFlags struct {
	statements []string
	baseline   string
}

func (e *expectFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&e.statements, "expect", nil,
		"expect something of the results: `STATEMENT`, such as 'lost == 0' (docs/expectations.md)")
	f.StringVar(&e.baseline, "baseline", "",
		"compare with this run: its `DIR`, or REF:DIR as a git reference has it")
}

// readBaseline returns the run to compare with, or nil if none is named.
func (e *expectFlags) readBaseline(ctx context.Context) (*results.Run, error) {
	if e.baseline == "" {
		return nil, nil
	}
	dir := e.baseline
	if _, err := os.Stat(dir); err != nil {
		ref, path, ok := strings.Cut(e.baseline, ":")
		if !ok {
			return nil, fmt.Errorf("read baseline: %w; want the directory of a run, or REF:DIR", err)
		}
		temp, err := os.MkdirTemp("", "flowbench-baseline-")
		if err != nil {
			return nil, fmt.Errorf("read baseline: %w", err)
		}
		defer func() { _ = os.RemoveAll(temp) }()
		if dir, err = checkout(ctx, temp, ref, path); err != nil {
			return nil, fmt.Errorf("read baseline %s: %w", e.baseline, err)
		}
	}
	r, err := results.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	return r, nil
}

// checkout copies a directory as a git reference has it into temp, and returns where
// it is there. The work tree is not touched.
func checkout(ctx context.Context, temp, ref, path string) (string, error) {
	if strings.HasPrefix(ref, "-") || !filepath.IsLocal(path) {
		return "", errors.New("want a reference, a colon, and a directory in the repository, such as main:baseline")
	}
	archive := filepath.Join(temp, "archive.tar")
	// The separator keeps a path from being taken for an option.
	git := exec.CommandContext(ctx, "git", "archive", "--format=tar", "--output="+archive, ref, "--", path)
	if out, err := git.CombinedOutput(); err != nil {
		return "", fmt.Errorf("git archive: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return filepath.Join(temp, filepath.FromSlash(path)), untar(archive, temp)
}

// known returns all names that statements may choose cells by.
func known() expect.Known {
	var k expect.Known
	for _, f := range flows.All() {
		k.Flows = append(k.Flows, f.Spec().Name)
	}
	for _, d := range drivers.All() {
		k.Names = append(k.Names, d.Name)
	}
	for _, e := range drivers.Edges() {
		k.Names = append(k.Names, e.Name)
	}
	for _, m := range []flows.Mode{flows.Inline, flows.Reference, flows.Stream} {
		k.Names = append(k.Names, string(m))
	}
	for _, s := range drivers.Stores() {
		k.Names = append(k.Names, s.Name)
	}
	return k
}

// checkExpectation checks a statement for scenarios.
func checkExpectation(statement string, cells []scenarios.Cell) (concerns bool, offset int, err error) {
	named := make([]expect.Named, len(cells))
	for i, c := range cells {
		named[i] = expect.Named{Flow: c.Flow, Names: []string{c.Broker, c.Edge, c.Payload, c.Store}}
	}
	s, err := expect.Parse(statement)
	if err == nil {
		concerns, err = s.Check(known(), named)
	}
	var e *expect.Error
	if errors.As(err, &e) {
		offset = e.At
	}
	return concerns, offset, err
}

// asked returns the statements that a run of the plan is judged by. Those of a
// scenario that compare with a baseline count only where there is one.
func asked(plan *scenarios.Plan, baseline *results.Run) ([]expect.Asked, error) {
	var all []expect.Asked
	for _, e := range plan.Expect {
		s, err := expect.Parse(e.Statement)
		if err != nil {
			return nil, fmt.Errorf("read expectation %q: %w", e.Statement, err)
		}
		if s.Baseline() && baseline == nil {
			if e.Asked {
				return nil, fmt.Errorf("--expect %q compares with a baseline; want --baseline DIR as well", e.Statement)
			}
			continue
		}
		all = append(all, expect.Asked{Statement: s, Abort: e.Abort})
	}
	return all, nil
}

// A brokenOff is how a run ends of which an expectation can no longer hold.
type brokenOff struct{ statement string }

func (e *brokenOff) Error() string {
	return fmt.Sprintf("ended early: %q can no longer hold", e.statement)
}

// A guard ends a run when an expectation that wants that can no longer hold: by what
// is counted while a cell goes on, and by all that a cell measured once it has ended.
type guard struct {
	asked    []expect.Asked
	baseline *results.Run
	cells    []expect.Named // of the plan
	read     func() (*results.Run, error)
	end      context.CancelCauseFunc

	mu    sync.Mutex
	index int // of the latest cell that was seen
}

// newGuard returns a guard, or nil if no expectation wants one.
func newGuard(asked []expect.Asked, baseline *results.Run, plan *scenarios.Plan, w *results.Writer,
	end context.CancelCauseFunc) *guard {
	x := &guard{baseline: baseline, end: end, read: func() (*results.Run, error) { return results.ReadRoot(w.Root()) }}
	for _, a := range asked {
		if a.Abort {
			x.asked = append(x.asked, a)
		}
	}
	if len(x.asked) == 0 {
		return nil
	}
	for _, c := range plan.Cells {
		x.cells = append(x.cells, expect.Named{Flow: c.Flow, Names: []string{c.Broker, c.Edge, c.Payload, c.Store}})
	}
	return x
}

// see takes the progress of a run. It may be called concurrently.
func (x *guard) see(p sim.Progress) {
	if x == nil || p.Index >= len(x.cells) {
		return
	}
	if s := expect.Exceeded(x.asked, x.cells[p.Index], p.Live.Counts, p.Live.Account); s != nil {
		x.end(&brokenOff{s.String()})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if p.Index <= x.index {
		return
	}
	x.index = p.Index
	r, err := x.read()
	if err != nil {
		return // what cannot be read now is told when the run ends
	}
	for _, e := range expect.Judge(r, x.baseline, x.asked) {
		if e.Verdict == results.ExpectationFailed {
			x.end(&brokenOff{e.Statement})
		}
	}
}

// expectationError returns how a run ends that was not cut short, and nothing if all
// is as it should be.
func expectationError(r *results.Run) (exitCode, error) {
	var failed []string
	for _, e := range r.Expectations {
		if e.Verdict == results.ExpectationFailed {
			failed = append(failed, fmt.Sprintf("%q", e.Statement))
		}
	}
	if len(failed) > 0 {
		return exitExpectation, fmt.Errorf("not as expected: %s", strings.Join(failed, ", "))
	}
	for _, c := range r.Cells {
		if c.Verdict == results.PromiseBroken {
			return exitExpectation, fmt.Errorf("%s broke its promise: %s", c.ID, strings.Join(c.Broken, "; "))
		}
	}
	if !r.Sound() {
		return exitNoVerdict, errors.New("no verdict: not every cell is valid; the report says why")
	}
	for _, e := range r.Expectations {
		if e.Verdict == results.ExpectationCannotTell {
			return exitNoVerdict, fmt.Errorf("no verdict: it cannot be told whether %q holds; the report says why",
				e.Statement)
		}
	}
	return exitOK, nil
}

// expectAgain judges a run that is read from its directory by further statements.
func (e *expectFlags) expectAgain(ctx context.Context, r *results.Run) error {
	if len(e.statements) == 0 {
		return nil
	}
	baseline, err := e.readBaseline(ctx)
	if err != nil {
		return err
	}
	var all []expect.Asked
	var cells []expect.Named
	for _, c := range r.Cells {
		cells = append(cells, expect.Named{Flow: c.Flow, Names: []string{c.Broker, c.Edge, c.Payload, c.Store}})
	}
	for _, text := range e.statements {
		s, err := expect.Parse(text)
		concerns := false
		if err == nil {
			concerns, err = s.Check(known(), cells)
		}
		var at *expect.Error
		switch {
		case errors.As(err, &at):
			return fmt.Errorf("--expect: %s", scenarios.PointAt(text, at.At, err))
		case !concerns:
			return fmt.Errorf("--expect: %q: no cell of this run is one that it is about; want one that is", text)
		case s.Baseline() && baseline == nil:
			return fmt.Errorf("--expect %q compares with a baseline; want --baseline DIR as well", text)
		}
		all = append(all, expect.Asked{Statement: s})
	}
	r.Expectations = append(r.Expectations, expect.Judge(r, baseline, all)...)
	return nil
}

// listMetrics lists what expectations can be about.
func listMetrics(w io.Writer, width int) error {
	var rows [][]string
	for _, m := range expect.Metrics() {
		rows = append(rows, []string{m.Name, string(m.Unit), m.About})
	}
	return writeRows(w, "", rows, width)
}

// untar unpacks what git has packed, into a directory that is there.
func untar(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer f.Close() // it is only read
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("unpack: %w", err)
		case !filepath.IsLocal(h.Name):
			return fmt.Errorf("unpack %q: the name leads out of the archive", h.Name)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o700)
		case tar.TypeReg:
			err = unpack(name, r)
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
}

func unpack(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
