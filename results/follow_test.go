package results

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAFollowerReadsEveryLineOnce writes a file of seconds in pieces that end anywhere,
// and reads after each.
func TestAFollowerReadsEveryLineOnce(t *testing.T) {
	parent, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(parent, strconv.Itoa(n))
		if err := os.MkdirAll(filepath.Join(dir, cellsDir), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var all bytes.Buffer
		n := rapid.IntRange(0, 20).Draw(t, "lines")
		for i := range n {
			l := line{Second: &Second{At: i}}
			if rapid.Bool().Draw(t, "event") {
				l = line{Event: &Event{At: time.Duration(i), Kind: FaultBegins, Name: "x"}}
			}
			if err := json.NewEncoder(&all).Encode(l); err != nil {
				t.Fatal(err)
			}
		}
		var f Follower
		var seen []int
		begun := 0
		for written := 0; ; {
			seconds, events, err := f.Next(root, "cell")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range seconds {
				seen = append(seen, s.At)
			}
			for _, e := range events {
				seen, begun = append(seen, int(e.At)), begun+1
			}
			if written == all.Len() {
				break
			}
			written += rapid.IntRange(1, all.Len()-written).Draw(t, "bytes")
			if err := root.WriteFile(cellsDir+"/cell.jsonl", all.Bytes()[:written], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		at := make(map[int]int)
		for _, s := range seen {
			at[s]++
		}
		if len(seen) != n || len(at) != n || len(f.Active) != begun {
			t.Fatalf("%d lines were read as %v with %d faults", n, seen, len(f.Active))
		}
	})
}

func TestAFollowerSaysWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, cellsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, cellsDir, "cell.jsonl"), []byte("{}\n{]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var f Follower
	if _, _, err := f.Next(root, "cell"); err == nil || !strings.Contains(err.Error(), "cell.jsonl after byte 3") {
		t.Errorf("error is %v; want the place", err)
	}
}

func TestABriefReadsWhatHasEndedOnce(t *testing.T) {
	run := &Run{Schema: RunSchema, CellIDs: []string{"a", "b", "c"}, Reason: NotEnded}
	w, err := Create(filepath.Join(t.TempDir(), "run"), run, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	write := func(c Cell) {
		t.Helper()
		if err := w.WriteCell(&c); err != nil {
			t.Fatal(err)
		}
	}
	write(Cell{ID: "a", Finished: true, Valid: true, Counts: Counts{Due: 1}})
	write(Cell{ID: "b"})
	b, err := ReadBrief(w.Root(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Begun) != 2 || b.Ended() != 1 || b.Over() {
		t.Errorf("brief is %+v; want two cells, one of them ended", b.Begun)
	}
	write(Cell{ID: "a", Finished: true, Counts: Counts{Due: 2}}) // which no run does
	write(Cell{ID: "b", Finished: true, Valid: true, Verdict: "kept"})
	if b, err = ReadBrief(w.Root(), b); err != nil {
		t.Fatal(err)
	}
	if b.Ended() != 2 || b.Begun[0].Counts.Due != 1 || b.Begun[1].Verdict != "kept" {
		t.Errorf("brief is %+v; want the first cell as it was", b.Begun)
	}
	for reason, over := range map[string]bool{NotEnded: false, "interrupted": true, "": true} {
		if got := (&Run{Reason: reason}).Over(); got != over {
			t.Errorf("with the reason %q a run is over: %v", reason, got)
		}
	}
}

func TestLiveTellsWhatIsInForceAndDecided(t *testing.T) {
	r := NewCellRecorder(CellConfig{Cell: &Cell{Load: Load{Clients: 1}}, Seconds: &bytes.Buffer{}})
	r.Issue(2)
	for _, e := range []Event{
		{Kind: FaultBegins, Name: "stall on broker"}, {Kind: FaultBegins, Name: "stall on broker"},
		{Kind: FaultEnds, Name: "stall on broker"}, {Kind: FaultEnds, Name: "never began"},
		{Kind: "phase", Name: "measured"},
	} {
		r.Event(e)
	}
	const ms = time.Millisecond
	r.Outcome(Outcome{Op: 1, Kind: Command, Status: OK, Due: 1, Started: 1 + ms, Accepted: 2 * ms})
	r.Outcome(Outcome{Op: 2, Kind: Command, Status: Failed, Due: 1, Started: 1 + ms, Ended: time.Second})
	r.Collect(time.Second)
	l := r.Live()
	if len(l.Active) != 1 || l.SendLag.N() != 2 || l.Latency.N() != 1 || l.Account.Attempted != 2 {
		t.Errorf("live is %+v; want one fault, two that started and one that was accepted", l)
	}
	if l = r.Live(); l.SendLag != nil || l.Latency != nil || l.Account.Attempted != 2 {
		t.Errorf("the second look is %+v; want what came since", l)
	}
}
