package plot

import (
	"slices"
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// sequenceNames returns the names of the figures that show how flows work.
func sequenceNames(run *results.Run) []string {
	var names []string
	for _, f := range All(run) {
		if f.Section == SequenceSection {
			names = append(names, f.Name)
		}
	}
	return names
}

func TestEachFlowIsDrawnAndAQueryOnlyWhereItDiffers(t *testing.T) {
	run := fixture.Told(fixture.Run(fixture.Many(), 1, 10))
	want := []string{"sequence-async-reply-to-command", "sequence-async-poll-command", "sequence-async-poll-query",
		"sequence-proxy-sync-command", "sequence-proxy-async-command", "sequence-no-reply-command"}
	if got := sequenceNames(run); !slices.Equal(got, want) {
		t.Errorf("figures are %q; want %q", got, want)
	}
	run.Steps = nil
	if got := sequenceNames(run); len(got) != 0 {
		t.Errorf("a run without steps has %q", got)
	}
}

func TestNoFlowIsDrawnWhereThereAreTooMany(t *testing.T) {
	for _, n := range []int{maxSequences, maxSequences + 1} {
		var shapes []fixture.Shape
		for i := range n {
			s := fixture.Default()[0]
			s.Flow = "flow-" + strings.Repeat("i", i+1)
			shapes = append(shapes, s)
		}
		drawn := len(sequenceNames(fixture.Told(fixture.Run(shapes, 1, 10)))) > 0
		if drawn != (n <= maxSequences) {
			t.Errorf("of %d flows, that they are drawn is %t", n, drawn)
		}
	}
}

// TestNamesOfFiguresAreHarmless matters because files are called by them.
func TestNamesOfFiguresAreHarmless(t *testing.T) {
	names := sequenceNames(oddSteps())
	if !slices.Contains(names, "sequence-1-command") {
		t.Errorf("figures are %q; want the first flow, which is of somebody hostile, by its number", names)
	}
	for _, name := range names {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("a figure is called %q", name)
		}
	}
	if slices.Contains(names, "sequence-async-poll-command") {
		t.Error("steps without an end were drawn")
	}
}

// TestASequenceDiagramSaysEveryStep looks for every word of every step on the
// canvas, and in the text for those who do not see it.
func TestASequenceDiagramSaysEveryStep(t *testing.T) {
	run := fixture.Told(fixture.Run(fixture.Many(), 1, 10))
	for _, f := range All(run) {
		if f.Section != SequenceSection {
			continue
		}
		var seen strings.Builder
		for _, l := range painted(f).labels {
			seen.WriteString(l.text + " ")
		}
		kind := "command"
		if strings.HasSuffix(f.Name, "-query") {
			kind = "query"
		}
		for _, s := range run.Steps[f.Of][kind] {
			if !strings.Contains(seen.String(), s.Text) || !strings.Contains(f.Alt, s.Text) {
				t.Errorf("%s does not say %q", f.Name, s.Text)
			}
			if !strings.Contains(seen.String(), s.From) {
				t.Errorf("%s does not show %s", f.Name, s.From)
			}
		}
	}
}
