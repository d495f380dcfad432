package results

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
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
	if err := readJSON(root, runFile, &run); err != nil {
		if absent(err) {
			return nil, fmt.Errorf("%s holds no run: it has no %s", root.Name(), runFile)
		}
		return nil, err
	}
	if run.Schema != RunSchema {
		return nil, fmt.Errorf("read %s: schema is %q; this flowbench reads %q", runFile, run.Schema, RunSchema)
	}
	for _, id := range run.CellIDs {
		var c Cell
		err := readJSON(root, path.Join(cellsDir, id+".json"), &c)
		if absent(err) {
			continue
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
		run.Cells = append(run.Cells, &c)
	}
	return &run, nil
}

func readJSON(root *os.Root, name string, v any) error {
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// readSeconds reads the seconds and events of c. The last line may be torn: the
// writer was killed in the middle of it.
func (c *Cell) readSeconds(root *os.Root) error {
	name := path.Join(cellsDir, c.ID+".jsonl")
	f, err := root.Open(name)
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
	for n := 1; lines.Scan(); n++ {
		if torn != nil {
			return torn
		}
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			torn = fmt.Errorf("read %s:%d: %w", name, n, err)
			continue
		}
		if l.Second != nil {
			c.Seconds = append(c.Seconds, *l.Second)
		}
		if l.Event != nil {
			c.Events = append(c.Events, *l.Event)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
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
