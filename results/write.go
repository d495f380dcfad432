package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
)

const (
	runFile  = "run.json"
	cellsDir = "cells"
)

// A Writer writes a run directory while the run goes on. Everything in it is
// opened below the directory's root, so that no name leads out of it. Its
// methods may be called concurrently.
type Writer struct {
	root *os.Root

	mu  sync.Mutex
	run *Run
}

// Create makes the directory dir, which must not exist or be empty, and writes
// the run's description and the given files into it.
func Create(dir string, run *Run, files map[string][]byte) (*Writer, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("create run directory: %s is not empty; name a new one", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	w := &Writer{root: root, run: run}
	if err := w.prepare(files); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return w, nil
}

func (w *Writer) prepare(files map[string][]byte) error {
	if err := w.root.Mkdir(cellsDir, 0o755); err != nil {
		return fmt.Errorf("create run directory: %w", err)
	}
	for name, data := range files {
		if err := WriteFile(w.root, name, data); err != nil {
			return err
		}
	}
	return w.Update(func(*Run) {})
}

// Root returns the directory, for those who add reports to it.
func (w *Writer) Root() *os.Root { return w.root }

// Update changes the run's description and writes it.
func (w *Writer) Update(change func(*Run)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w.run)
	return writeJSON(w.root, runFile, w.run)
}

// BeginCell writes what is known of a cell before its load begins, and opens
// the file that its seconds and events go to.
func (w *Writer) BeginCell(c *Cell) (io.WriteCloser, error) {
	if err := w.WriteCell(c); err != nil {
		return nil, err
	}
	f, err := w.root.Create(path.Join(cellsDir, c.ID+".jsonl"))
	if err != nil {
		return nil, fmt.Errorf("create file of seconds: %w", err)
	}
	return f, nil
}

// historyPath returns where the history of a cell is in a run directory.
func historyPath(cell string) string { return path.Join(cellsDir, cell+".history.jsonl") }

// BeginHistory opens the file that the history of a cell goes to.
func (w *Writer) BeginHistory(cell string) (io.WriteCloser, error) {
	f, err := w.root.Create(historyPath(cell))
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	return f, nil
}

// OpenHistory opens the history of a cell in a run directory. The error is
// [fs.ErrNotExist] if none was kept.
func OpenHistory(root *os.Root, cell string) (io.ReadCloser, error) {
	f, err := root.Open(historyPath(cell))
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return f, nil
}

// WriteCell writes a cell, in place of what was written of it before.
func (w *Writer) WriteCell(c *Cell) error {
	return writeJSON(w.root, path.Join(cellsDir, c.ID+".json"), c)
}

// Close closes the directory.
func (w *Writer) Close() error { return w.root.Close() }

func writeJSON(root *os.Root, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return WriteFile(root, name, append(b, '\n'))
}

// WriteFile writes a file below root as a whole or not at all: a reader sees
// the old content or the new one, whenever the writer is killed.
func WriteFile(root *os.Root, name string, data []byte) error {
	tmp := name + ".tmp"
	if err := root.WriteFile(tmp, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := root.Rename(tmp, name); err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, root.Remove(tmp)))
	}
	return nil
}

// absent reports whether err says that a file is not there.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
