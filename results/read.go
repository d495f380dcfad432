package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sync"
	"time"
)

// maxLine bounds one line of a file of seconds, and maxFile one whole JSON file.
const (
	maxLine = 4 << 20
	maxFile = 256 << 20
)

// Read reads a run directory, finished or not. Cells that had not begun are
// absent; a cell that was cut short by a crash has what its seconds tell.
func Read(dir string) (*Run, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	run, err := ReadRoot(root)
	return run, errors.Join(err, root.Close())
}

// ReadRoot is Read for a directory that is open.
func ReadRoot(root *os.Root) (*Run, error) {
	var run Run
	if err := readRun(root, &run); err != nil {
		return nil, err
	}
	cells := make([]*Cell, len(run.CellIDs))
	errs := make([]error, len(run.CellIDs))
	var all sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0)) // most of it is inflating histograms
	for i, id := range run.CellIDs {
		turns <- struct{}{}
		all.Go(func() {
			cells[i], errs[i] = readCell(root, id)
			<-turns
		})
	}
	all.Wait()
	for i, c := range cells {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if c != nil {
			run.Cells = append(run.Cells, c)
		}
	}
	return &run, nil
}

// readCell returns a cell of a run, or nil if it had not begun.
func readCell(root *os.Root, id string) (*Cell, error) {
	var c Cell
	err := readJSON(root, path.Join(cellsDir, id+".json"), &c)
	if absent(err) {
		return nil, nil
	}
	if err == nil {
		err = c.readSeconds(root)
	}
	if err != nil {
		return nil, err
	}
	if !c.Finished && c.Counts.Due == 0 {
		c.fromSeconds()
		c.Judge()
	}
	return &c, nil
}

// readRun reads what a run directory says of the run as a whole.
func readRun(root *os.Root, run *Run) error {
	if err := readJSON(root, runFile, run); err != nil {
		if absent(err) {
			return fmt.Errorf("%s holds no run: it has no %s", root.Name(), runFile)
		}
		return err
	}
	if run.Schema != RunSchema {
		return fmt.Errorf("read %s: schema is %q; this flowbench reads %q", runFile, run.Schema, RunSchema)
	}
	return nil
}

// openRegular opens a file for reading, if it is one: to open a pipe may wait for
// ever, and run directories come from anywhere.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return root.Open(name)
}

func readJSON(root *os.Root, name string, v any) error {
	f, err := openRegular(root, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil { // a cell of ten minutes is nearly a megabyte
		b.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(f, maxFile)); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(b.Bytes(), v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// readSeconds reads the seconds and events of c. The last line may be torn: the
// writer was killed in the middle of it.
func (c *Cell) readSeconds(root *os.Root) error {
	name := path.Join(cellsDir, c.ID+".jsonl")
	f, err := openRegular(root, name)
	if err != nil {
		if absent(err) {
			return nil
		}
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	var torn error
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	hists := newDecoder()
	for n := 1; lines.Scan(); n++ {
		if torn != nil {
			return torn
		}
		if err := c.readLine(lines.Bytes(), hists); err != nil {
			torn = fmt.Errorf("read %s:%d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// readLine reads a second or an event of c.
func (c *Cell) readLine(b []byte, hists *decoder) error {
	var l writtenLine
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if l.Second != nil {
		s := l.Second.Second
		s.Hists = make(map[string]*Hist, len(l.Second.Hists))
		for name, text := range l.Second.Hists {
			h, err := hists.decode(text)
			if err != nil {
				return err
			}
			s.Hists[name] = h
		}
		c.Seconds = append(c.Seconds, s)
	}
	if l.Event != nil {
		c.Events = append(c.Events, *l.Event)
	}
	return nil
}

// fromSeconds gives a cell that was never completed the counts and histograms
// that its seconds hold.
func (c *Cell) fromSeconds() {
	c.Latency = make(map[string]map[string]*Hist)
	c.SendLag = NewHist()
	var measured int
	for _, s := range c.Seconds {
		if s.Phase != "measured" {
			c.WarmupOps.plus(s.Counts)
			continue
		}
		measured++
		c.Counts.plus(s.Counts)
		if h := s.Hists["send_lag"]; h != nil {
			c.SendLag.Merge(h)
		}
		for _, k := range Kinds() {
			for _, st := range Stages() {
				h := s.Hist(k, st)
				if h == nil {
					continue
				}
				if c.Latency[k.String()] == nil {
					c.Latency[k.String()] = make(map[string]*Hist)
				}
				if c.Latency[k.String()][st.String()] == nil {
					c.Latency[k.String()][st.String()] = NewHist()
				}
				c.Latency[k.String()][st.String()].Merge(h)
			}
		}
	}
	c.Load.Measured = time.Duration(measured) * time.Second
}

func (c *Counts) plus(d Counts) {
	c.Due += d.Due
	c.OK += d.OK
	c.Failed += d.Failed
	c.Unknown += d.Unknown
	c.Dropped += d.Dropped
}
