package results

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzHist reads arbitrary text as a histogram. Run directories come from other
// people, so the worst that may happen is an error.
func FuzzHist(f *testing.F) {
	h := NewHist()
	h.Record(time.Millisecond)
	seed, err := json.Marshal(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`"HISTFAAAABx4"`))
	f.Add([]byte(`""`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Hist
		if h.UnmarshalJSON(b) != nil || h.h == nil {
			return
		}
		for range h.Buckets() {
			break
		}
		_, _, _ = h.Quantile(0.99), h.Max(), h.N()
		NewHist().Merge(&h)
	})
}

// FuzzRead reads arbitrary text as the files of a run directory.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":"flowbench.run/1","cells":["a"]}`), []byte(`{"id":"a"}`),
		[]byte(`{"second":{"phase":"measured"}}`))
	f.Add([]byte(`{"schema":"flowbench.run/1","cells":["../../etc/passwd"]}`), []byte(`{}`), []byte(`{"event":{}}`))
	f.Add([]byte(`{}`), []byte(`[]`), []byte("\n\n{"))
	f.Fuzz(func(t *testing.T, run, cell, seconds []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"run.json": run, "cells/a.json": cell, "cells/a.jsonl": seconds} {
			name = filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Read(dir)
		if err == nil {
			r.Summary()
			r.Sound()
		}
	})
}
