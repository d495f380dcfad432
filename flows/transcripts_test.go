package flows_test

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"flowbench/flows"
	"flowbench/flows/transcript"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata")

func transcriptFile(flow string) string { return filepath.Join("testdata", flow+".txt") }

// TestTranscriptsAreWhatTheFlowsDo performs every episode of every flow and
// compares who told whom what with the transcript. With -rewrite it writes them.
// Commit a change of them only if you know what caused it, and want it.
func TestTranscriptsAreWhatTheFlowsDo(t *testing.T) {
	for _, flow := range flows.All() {
		name := flow.Spec().Name
		t.Run(name, func(t *testing.T) {
			now, err := record(t.Context(), flow)
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite {
				if err := os.WriteFile(transcriptFile(name), []byte(now.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			text, err := os.ReadFile(transcriptFile(name))
			if err != nil {
				t.Fatalf("%v; run go test ./flows -rewrite", err)
			}
			if string(text) == now.String() {
				return
			}
			t.Errorf("the transcript is stale; run go test ./flows -rewrite, look at the change, then make docs")
			then, err := transcript.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			reportChanges(t, then, now)
		})
	}
}

// reportChanges says which episodes go in another way than before.
func reportChanges(t *testing.T, then, now transcript.Transcript) {
	t.Helper()
	for _, e := range now.Episodes {
		before, _ := then.Episode(e.Kind, e.Story)
		if old, text := then.Text(before), now.Text(e); old != text {
			t.Errorf("%s: %s went\n%s\nand goes\n%s", e.Kind, e.Story, old, text)
		}
	}
}

// TestTranscriptsAreOfFlows finds transcripts whose flow is gone. With -rewrite
// it removes them.
func TestTranscriptsAreOfFlows(t *testing.T) {
	var want []string
	for _, flow := range flows.All() {
		want = append(want, transcriptFile(flow.Spec().Name))
	}
	have, err := filepath.Glob(transcriptFile("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range have {
		if slices.Contains(want, name) {
			continue
		}
		if !*rewrite {
			t.Errorf("%s is of no flow; run go test ./flows -rewrite", name)
		} else if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryTranscriptTellsSuccessAndFailureOfBothKinds reads what is built into
// the program.
func TestEveryTranscriptTellsSuccessAndFailureOfBothKinds(t *testing.T) {
	if *rewrite {
		t.Skip("what is built in is what was there before")
	}
	for _, flow := range flows.All() {
		spec := flow.Spec()
		text, err := flows.Transcript(spec.Name)
		if err != nil {
			t.Errorf("%v; run go test ./flows -rewrite", err)
			continue
		}
		told, err := transcript.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", spec.Name, err)
			continue
		}
		if told.Flow != spec.Name {
			t.Errorf("the transcript of %s says that it is of %s", spec.Name, told.Flow)
		}
		for _, e := range episodes(spec) {
			got, ok := told.Episode(e.kind.String(), e.story())
			checkEnd(t, spec.Name, e, got, ok)
		}
	}
	if _, err := flows.Transcript("no-such-flow"); err == nil {
		t.Error("a flow that does not exist has a transcript")
	}
}

// checkEnd checks that an episode is told to its end, and that what goes well
// ends well.
func checkEnd(t *testing.T, flow string, e episode, told transcript.Episode, ok bool) {
	t.Helper()
	ends := 0
	for _, s := range told.Steps {
		if s.Form == transcript.Outcome {
			ends++
		}
	}
	outcome := told.Outcome()
	switch {
	case !ok:
		t.Errorf("%s: %v, %s is not told", flow, e.kind, e.story())
	case ends != 1:
		t.Errorf("%s: %v, %s ends %d times", flow, e.kind, e.story(), ends)
	case e.trouble == none && outcome != "ok, answered" && outcome != "ok, accepted":
		t.Errorf("%s: %v, %s ends %s", flow, e.kind, e.story(), outcome)
	case e.kind == flows.Query && e.trouble == denial && outcome != "failed, rejected":
		t.Errorf("%s: %v, %s ends %s", flow, e.kind, e.story(), outcome)
	}
}

// TestTranscriptsAreTheSameForEver records every flow twice, on one processor
// and on two.
func TestTranscriptsAreTheSameForEver(t *testing.T) {
	for _, flow := range flows.All() {
		var texts []string
		for _, processors := range []int{1, 2} {
			before := runtime.GOMAXPROCS(processors)
			told, err := record(t.Context(), flow)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, told.String())
		}
		if texts[0] != texts[1] {
			t.Errorf("%s: two records differ:\n%s\n%s", flow.Spec().Name, texts[0], texts[1])
		}
	}
}
