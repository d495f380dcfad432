package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
	"flowbench/results/compare"
)

// comparisonOf compares repeats with themselves made slower by a factor, under names
// that would do harm if anybody interpreted them.
func comparisonOf(t *testing.T, hostile bool) *compare.Comparison {
	t.Helper()
	old, new := fixture.Repeated(), fixture.Repeated()
	for _, c := range new.Cells {
		c.Latency["command"]["answered"] = c.Latency["query"]["answered"]
	}
	name := "new"
	if hostile {
		for _, r := range []*results.Run{old, new} {
			r.Scenario = "<script>alert(1)</script>"
			for _, c := range r.Cells {
				fixture.Hostile(c)
				c.Of += "</td>\x1b[31m|"
			}
		}
		name = "</title><img src=x>|\x1b[2J"
	}
	c, err := compare.Compare(compare.Side{Name: "old", Runs: []*results.Run{old}},
		[]compare.Side{{Name: name, Runs: []*results.Run{new}}}, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComparisonsAreWellFormedWhateverTheirNamesAre(t *testing.T) {
	for _, hostile := range []bool{false, true} {
		c := comparisonOf(t, hostile)
		page := render(t, func(w io.Writer) error { return WriteComparisonHTML(w, c) })
		d := xml.NewDecoder(strings.NewReader(withoutScripts(page)))
		d.Entity = xml.HTMLEntity
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("the page is not well-formed: %v", err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "img" {
				t.Error("a name became an element")
			}
		}
		text := render(t, func(w io.Writer) error { return WriteComparisonText(w, c, 100, false) })
		markdown := render(t, func(w io.Writer) error { return WriteComparisonMarkdown(w, c) })
		for form, s := range map[string]string{"text": text, "markdown": markdown, "page": page} {
			if strings.Contains(s, "\x1b") {
				t.Errorf("the %s has a control sequence in it", form)
			}
		}
		if strings.Contains(markdown, "<img") || strings.Contains(markdown, "<script") || len(markdown) > maxComment {
			t.Errorf("the comment has markup of others in it, or is too long: %d bytes", len(markdown))
		}
		var back compare.Comparison
		if err := json.Unmarshal([]byte(render(t, func(w io.Writer) error {
			return WriteComparisonJSON(w, c)
		})), &back); err != nil || len(back.Rows) != len(c.Rows) {
			t.Errorf("the json has %d rows of %d: %v", len(back.Rows), len(c.Rows), err)
		}
	}
}

func TestAComparisonSaysWhatItIsSureOf(t *testing.T) {
	text := render(t, func(w io.Writer) error { return WriteComparisonText(w, comparisonOf(t, false), 100, false) })
	for _, want := range []string{
		"observations cannot show a change among", "cannot tell", "the sides did not run in turns",
		"Nobody has measured the noise floor",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}
