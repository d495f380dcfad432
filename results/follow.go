package results

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// NotEnded is the reason that stands in the description of a run until it ends.
const NotEnded = "it has not ended, or was killed"

// Over reports whether the run has ended, in whatever way. One that was killed
// never says that it has.
func (r *Run) Over() bool { return r.Finished || r.Reason != NotEnded }

// A Brief is a run without what takes long to read: for lists, and for those who
// follow a run that is being written.
type Brief struct {
	Run
	Begun []BriefCell // the cells that began, in the order of the plan
}

// Ended returns how many cells have ended.
func (b *Brief) Ended() int {
	n := 0
	for _, c := range b.Begun {
		if c.Finished {
			n++
		}
	}
	return n
}

// A BriefCell is a cell without its histograms, seconds and events.
type BriefCell struct {
	ID         string     `json:"id"`
	Load       Load       `json:"load"`
	Finished   bool       `json:"finished"`
	Valid      bool       `json:"valid"`
	Verdict    string     `json:"verdict"`
	Counts     Counts     `json:"counts"`
	Accounting Accounting `json:"accounting"`
}

// ReadBrief reads the run directory root, finished or not. What was read of it
// before spares reading the cells again that had ended; it may be nil.
func ReadBrief(root *os.Root, before *Brief) (*Brief, error) {
	var b Brief
	if err := readRun(root, &b.Run); err != nil {
		return nil, err
	}
	ended := make(map[string]BriefCell)
	if before != nil {
		for _, c := range before.Begun {
			if c.Finished {
				ended[c.ID] = c
			}
		}
	}
	for _, id := range b.CellIDs {
		c, known := ended[id]
		if !known {
			err := readJSON(root, path.Join(cellsDir, id+".json"), &c)
			if absent(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			c.ID = id
		}
		b.Begun = append(b.Begun, c)
	}
	return &b, nil
}

// A Follower reads the seconds and events of a cell while they are written. The
// zero Follower begins at the beginning. It is not safe for concurrent use.
type Follower struct {
	Active Active // the faults that are in force, by the events read so far

	offset int64
}

// maxFollow is how much a follower reads at once, in bytes; the rest comes the
// next time.
const maxFollow = 16 << 20

// Next returns the seconds and events that cell id of the run directory root has
// been given since the last call: none where it has not begun. A line that is
// not complete waits for the next time.
func (f *Follower) Next(root *os.Root, id string) ([]Second, []Event, error) {
	name := path.Join(cellsDir, id+".jsonl")
	file, err := openRegular(root, name)
	if absent(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("follow %s: %w", name, err)
	}
	defer file.Close() // nothing was written, so closing has nothing to say
	if _, err := file.Seek(f.offset, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("follow %s: %w", name, err)
	}
	var seconds []Second
	var events []Event
	lines := bufio.NewReader(io.LimitReader(file, maxFollow))
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(text) == maxFollow {
				return nil, nil, fmt.Errorf("follow %s: a line is longer than %d bytes", name, maxFollow)
			}
			return seconds, events, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("follow %s: %w", name, err)
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, nil, fmt.Errorf("follow %s after byte %d: %w", name, f.offset, err)
		}
		f.offset += int64(len(text))
		if l.Second != nil {
			seconds = append(seconds, *l.Second)
		}
		if l.Event != nil {
			events = append(events, *l.Event)
			f.Active.take(*l.Event)
		}
	}
}
