package report

import (
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
)

func TestOnlyRunsThatTellOthersSayWhoHeard(t *testing.T) {
	told, untold := fixture.Listeners(), fixture.Run(fixture.Default(), 1, 100)
	for form, texts := range map[string][2]string{
		"page": {htmlOf(t, told), htmlOf(t, untold)},
		"text": {textOf(t, told, 120, false), textOf(t, untold, 120, false)},
		"csv":  {csvOf(t, told), csvOf(t, untold)},
	} {
		mark := map[string]string{"page": `id="heard"`, "text": "all have heard", "csv": "heard_last"}[form]
		if !strings.Contains(texts[0], mark) {
			t.Errorf("the %s of a run that tells others has no %q", form, mark)
		}
		if strings.Contains(texts[1], mark) {
			t.Errorf("the %s of a run that tells nobody else has %q", form, mark)
		}
	}
}

func TestTheVerdictSaysWhetherAllHeard(t *testing.T) {
	run := fixture.Listeners()
	all := strings.Join(verdict(run), "\n")
	for _, want := range []string{
		"fan-out on jetstream", "11 notices of 3 commands never came", "4 notices came again",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the verdict is %q; want it to say %q", all, want)
		}
	}
	run.Cells = run.Cells[:1]
	if all := strings.Join(verdict(run), "\n"); !strings.Contains(all, "heard of each of 1,200, once") {
		t.Errorf("the verdict is %q; want it to say that all heard", all)
	}
}
