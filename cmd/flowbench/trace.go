package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"flowbench/scenarios"
)

// traceName is what the trace of a run is called in its directory.
const traceName = "trace.csv"

// loadTrace reads the recording that a scenario replays, if it replays one. Its name
// is relative to the scenario's file, or to the working directory for a scenario of
// the library.
func loadTrace(scenario string, s *scenarios.Scenario) error {
	name := s.TraceFile()
	if name == "" {
		return nil
	}
	if isFile(scenario) && !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(scenario), name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("read trace: %s is not a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	text, err := io.ReadAll(io.LimitReader(f, scenarios.MaxTraceBytes+1))
	if err != nil {
		return fmt.Errorf("read trace %s: %w", name, err)
	}
	return s.Replay(name, text)
}
