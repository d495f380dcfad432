package scenarios

import (
	"strings"
	"testing"
)

func TestEveryLibraryScenarioAsksItsQuestionFirstAndPlans(t *testing.T) {
	for _, e := range Library() {
		s, err := Parse(e.Name+".yaml", e.Text)
		if err != nil {
			t.Errorf("parse %s: %v", e.Name, err)
			continue
		}
		if s.Name != e.Name {
			t.Errorf("%s.yaml has the name %q; want that of its file", e.Name, s.Name)
		}
		if first, _, _ := strings.Cut(string(e.Text), "\n"); first != "# "+s.Question || s.Question != e.Question {
			t.Errorf(
				"%s.yaml begins %q and asks %q, the entry %q; want one question",
				e.Name,
				first,
				s.Question,
				e.Question,
			)
		}
		if _, err := s.Plan(libraryCatalog()); err != nil {
			t.Errorf("plan %s: %v", e.Name, err)
		}
		if _, err := Parse(e.Name+".yaml", e.Text, Quick()...); err != nil {
			t.Errorf("parse %s with --quick: %v", e.Name, err)
		}
	}
}

func TestFindNamesWhatThereIs(t *testing.T) {
	if e, err := Find("stall"); err != nil || e.Name != "stall" {
		t.Errorf("Find(stall) is %q, %v; want the scenario", e.Name, err)
	}
	_, err := Find("comprae")
	var names []string
	for _, e := range Library() {
		names = append(names, e.Name)
	}
	last := len(names) - 1
	want := `library: there is no scenario "comprae"; want ` + strings.Join(names[:last], ", ") + " or " + names[last] +
		" (did you mean compare?)"
	if err == nil || err.Error() != want {
		t.Errorf("Find(comprae) fails with %v; want %s", err, want)
	}
}
