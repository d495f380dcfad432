package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"flowbench/report/internal/fixture"
	"flowbench/report/words"
	"flowbench/results"
)

// fixtures returns the runs that every form of the report must cope with.
func fixtures() map[string]*results.Run {
	return map[string]*results.Run{
		"one":       fixture.Run(fixture.Default()[:1], 6, 400),
		"seven":     fixture.Run(fixture.Default(), 6, 400),
		"twenty":    fixture.Run(fixture.Many(), 1, 60),
		"troubled":  fixture.Troubled(),
		"urgent":    fixture.Urgent(),
		"bulk":      fixture.Bulk(),
		"listeners": fixture.Listeners(),
		"faulty":    fixture.Faulty(),
		"twice":     fixture.FaultyTwice(),
		"carried":   fixture.Carried(),
		"parcels":   parcels(),
		"pigeons":   pigeons(),
		"told":      fixture.Told(fixture.Run(fixture.Many(), 1, 60)),
		"repeated":  fixture.Repeated(),
		"followed":  fixture.Followed(),
		"swept":     fixture.Swept(),
		"ramped":    fixture.Ramped(),
		"empty":     {ID: "empty", Scenario: "empty"},
	}
}

// golden compares got with a file in testdata, or rewrites the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; run go test ./report -update and look at the difference:\n%s", path, diff)
	}
}

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func htmlOf(t *testing.T, run *results.Run) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return WriteHTML(w, run) })
}

func textOf(t *testing.T, run *results.Run, width int, colour bool) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return WriteText(w, run, width, colour) })
}

func csvOf(t *testing.T, run *results.Run) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return WriteCSV(w, run) })
}

func TestGolden(t *testing.T) {
	svg := regexp.MustCompile(`(?s)<svg.*?</svg>`)
	runs := fixtures()
	names := []string{
		"seven", "troubled", "urgent", "bulk", "listeners", "faulty", "carried", "told", "repeated", "followed",
		"swept", "ramped",
	}
	for _, name := range names {
		run := runs[name]
		golden(t, name+"-80.txt", textOf(t, run, 80, false))
		golden(t, name+"-160.txt", textOf(t, run, 160, true))
		golden(t, name+".csv", csvOf(t, run))
		golden(t, name+".html", withoutScripts(svg.ReplaceAllString(htmlOf(t, run), "<svg></svg>")))
	}
}

func TestRenderingIsDeterministic(t *testing.T) {
	a, b := fixture.Troubled(), fixture.Troubled()
	if htmlOf(t, a) != htmlOf(t, b) {
		t.Error("the page differs between two renderings")
	}
	if textOf(t, a, 120, true) != textOf(t, b, 120, true) {
		t.Error("the text differs between two renderings")
	}
	if csvOf(t, a) != csvOf(t, b) {
		t.Error("the csv differs between two renderings")
	}
}

// withoutScripts returns a page with the content of its scripts and of its data left out:
// HTML reads it otherwise than XML does.
func withoutScripts(page string) string {
	return regexp.MustCompile(`(?s)(<script[^>]*>).*?</script>`).ReplaceAllString(page, "$1</script>")
}

// TestPageIsWellFormed walks the page as XML, so that every element is closed and
// every name is where it belongs.
func TestPageIsWellFormed(t *testing.T) {
	for name, run := range fixtures() {
		d := xml.NewDecoder(strings.NewReader(withoutScripts(htmlOf(t, run))))
		d.Entity = xml.HTMLEntity
		ids, scripts := make(map[string]bool), 0
		var references []string
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			switch start.Name.Local {
			case "script": // the page's own; a test compares it with its hash
				if len(start.Attr) == 0 { // the others are data
					scripts++
				}
			case "img", "iframe", "link", "object", "embed", "base", "form", "use", "foreignObject":
				t.Errorf("%s: the page has a <%s>", name, start.Name.Local)
			}
			for _, a := range start.Attr {
				switch key := a.Name.Local; {
				case key == "id" && ids[a.Value]:
					t.Errorf("%s: id %q is there twice", name, a.Value)
				case key == "id":
					ids[a.Value] = true
				case key == "href" && start.Name.Local == "image":
					if !strings.HasPrefix(a.Value, "data:image/png;base64,") {
						t.Errorf("%s: picture from %q", name, a.Value)
					}
				case key == "href":
					if !strings.HasPrefix(a.Value, "#") {
						t.Errorf("%s: link to %q", name, a.Value)
					}
					references = append(references, a.Value[1:])
				case key == "aria-labelledby":
					references = append(references, strings.Fields(a.Value)...)
				case key == "src", strings.HasPrefix(key, "on"):
					t.Errorf("%s: attribute %s=%q", name, key, a.Value)
				}
				if key := a.Name.Local; key == "mask" {
					references = append(references, strings.TrimSuffix(strings.TrimPrefix(a.Value, "url(#"), ")"))
				} else if strings.Contains(a.Value, "url(") {
					t.Errorf("%s: attribute %q refers to something outside", name, a.Value)
				}
			}
			if start.Name.Local == "th" && !slices.ContainsFunc(start.Attr, func(a xml.Attr) bool {
				return a.Name.Local == "scope"
			}) {
				t.Errorf("%s: a table head has no scope", name)
			}
		}
		for _, r := range references {
			if !ids[r] {
				t.Errorf("%s: nothing has the id %q", name, r)
			}
		}
		if scripts != 1 {
			t.Errorf("%s: the page has %d scripts; want its own alone", name, scripts)
		}
	}
}

func TestPageLoadsNothing(t *testing.T) {
	page := htmlOf(t, fixture.Run(fixture.Default(), 2, 100))
	inside := strings.ReplaceAll(page, "url(#", "") // what a part of the page is masked with
	for _, s := range []string{"http:", "https:", "url(", "@import", "javascript:", "ZgotmplZ"} {
		if strings.Contains(inside, s) {
			t.Errorf("the page contains %q", s)
		}
	}
	_, rest, _ := strings.Cut(page, "<script>")
	script, _, _ := strings.Cut(rest, "</script>")
	hash := sha256.Sum256([]byte(script)) // of what a browser finds, not of what was put in
	policy := `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; ` +
		`img-src data:; script-src 'sha256-` + base64.StdEncoding.EncodeToString(hash[:]) + `'; ` +
		`base-uri 'none'; form-action 'none'"/>`
	if !strings.Contains(page, policy) {
		t.Error("the page has no content security policy, or another one, or it does not let its script run")
	}
}

func TestPageDefinesItsColours(t *testing.T) {
	page := htmlOf(t, fixture.Run(fixture.Default(), 2, 100))
	light, dark, ok := strings.Cut(strings.SplitN(page, "</style>", 2)[0], "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("the page has no dark colours")
	}
	for _, m := range regexp.MustCompile(`var\((--[a-z-]+)\)`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(light, m[1]+":") || !strings.Contains(dark, m[1]+":") {
			t.Errorf("%s is not defined for light and for dark", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(fill|stroke):#`).FindAllString(page, 1) {
		t.Errorf("a figure has a fixed colour: %s", m)
	}
}

func TestHostileNamesStayText(t *testing.T) {
	run := fixture.Troubled()
	page := htmlOf(t, run)
	if strings.Count(page, "<script>") != 1 ||
		strings.Count(page, "<script") != 1+strings.Count(page, `<script type="application/json"`) ||
		strings.Contains(page, "<img") || strings.Contains(page, "<i>none") {
		t.Error("a name became an element of the page")
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the page does not show the name")
	}
	for form, s := range map[string]string{
		"page": page, "csv": csvOf(t, run), "text": textOf(t, run, 100, false),
	} {
		for _, r := range s {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%s has the character %U", form, r)
			}
		}
	}
	records, err := csv.NewReader(strings.NewReader(csvOf(t, run))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		for _, field := range record {
			if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
				t.Errorf("a spreadsheet would run %q", field)
			}
		}
	}
}

func TestAbsentIsNotZero(t *testing.T) {
	run := fixture.Run(fixture.Many()[4:5], 3, 400) // no-reply: commands are never answered
	lines := strings.Split(textOf(t, run, 200, false), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "no-reply on nats") })
	if got := strings.Fields(lines[i])[3:6]; !slices.Equal(got, []string{"–", "–", "–"}) {
		t.Errorf("answered p50, p99 and p99.9 of a flow without answers are %q", got)
	}
	page := htmlOf(t, run)
	if !strings.Contains(page, "commands end at applied") || !strings.Contains(page, "no-reply on nats (applied)") {
		t.Error("the page does not say at which stage the commands end")
	}
	for _, record := range strings.Split(csvOf(t, run), "\n") {
		if strings.Contains(record, ",command,answered,") {
			t.Errorf("a stage that nothing reached has a row: %s", record)
		}
	}
}

func TestUnresolvedQuantilesAreMarked(t *testing.T) {
	run := fixture.Run(fixture.Default()[:1], 5, 400) // 1,000 commands: p99 is resolved, p99.9 is not
	h := run.Cells[0].LatencyOf(results.Command, results.AnsweredStage)
	p99, p999 := words.Duration(h.Quantile(0.99)), words.Duration(h.Quantile(0.999))
	page, text := htmlOf(t, run), textOf(t, run, 80, false)
	if !regexp.MustCompile(`<td( data-value="\d+")?>` + p99 + `(<small></small>)?</td>`).MatchString(page) {
		t.Error("the page does not show p99 as a finding")
	}
	want := regexp.MustCompile(`<td class="faint"( data-value="\d+")? title="not resolved: of 1,000 samples ` +
		`fewer than 10 lie beyond p99.9">\(` + p999 + `\)(<small></small>)?</td>`)
	if !want.MatchString(page) {
		t.Error("the page does not mark p99.9")
	}
	if strings.Contains(text, "("+p99+")") || !strings.Contains(text, "("+p999+")") {
		t.Error("the text does not mark p99.9 alone")
	}
}

func TestVerdict(t *testing.T) {
	run := fixture.Run(fixture.Default(), 6, 400)
	got := strings.Join(verdict(run), "\n")
	for _, want := range []string{
		"On nats, async-reply-to answered 99 % of commands within", "proxy-async took longest",
		"Without a broker, direct answered", "All 8,400 acknowledged commands were applied exactly once.", "This " +
			"is one run",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, got)
		}
	}
	run.Cells[0].Valid, run.Cells[0].Why = false, []string{"the generator was late"}
	run.Cells[1].Accounting.Lost = 2
	run.Cells[2].Load.Arrivals = "closed"
	got = strings.Join(verdict(run), "\n")
	for _, want := range []string{
		"On nats, proxy-sync answered", "async-reply-to on nats is not valid: the generator was late.",
		"proxy-sync on nats: of 1,200 commands acknowledged 2 were lost.", "Closed load in proxy-async on nats: " +
			"its users",
		"coordinated omission",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "exactly once") {
		t.Errorf("the verdict claims that all is well:\n%s", got)
	}
}

func TestVerdictDoesNotRankEqualFlows(t *testing.T) {
	shapes := []fixture.Shape{fixture.Default()[0], fixture.Default()[0]}
	shapes[1].Flow = "another"
	if got := verdict(fixture.Run(shapes, 6, 400))[0]; !strings.Contains(got, "too close to rank") {
		t.Errorf("the verdict on two equal flows is %q", got)
	}
}

func TestTextKeepsItsWidth(t *testing.T) {
	for name, run := range fixtures() {
		for _, width := range []int{0, 80, 100, 132, 200} {
			for _, line := range strings.Split(textOf(t, run, width, false), "\n") {
				if n := utf8.RuneCountInString(line); n > max(width, 80) {
					t.Errorf("%s at width %d: a line has %d characters: %s", name, width, n, line)
				}
			}
		}
	}
}

func TestColourSaysNothingOfItsOwn(t *testing.T) {
	attributes := regexp.MustCompile("\x1b\\[[0-9]+m")
	for name, run := range fixtures() {
		if plain := attributes.ReplaceAllString(textOf(t, run, 120, true), ""); plain != textOf(t, run, 120, false) {
			t.Errorf("%s: the text differs by more than its colours", name)
		}
	}
}

func TestPageStaysSmall(t *testing.T) {
	run := fixture.Run(fixture.Many()[:10], 2, 100)
	for _, c := range run.Cells { // as many points as a line over time can have
		for at := len(c.Seconds); at < 120; at++ {
			second := c.Seconds[at%4]
			second.At = at
			c.Seconds = append(c.Seconds, second)
		}
	}
	if n := len(htmlOf(t, run)); n > 1<<20 {
		t.Errorf("the page of ten cells has %d bytes", n)
	}
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	run := fixture.Run(fixture.Default()[:2], 2, 100)
	if err := root.WriteFile("report.html", []byte("an old report"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteAll(root, run); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{
		"heat-command", "heat-query", "histograms-command", "histograms-query", "intervals-command",
		"intervals-query", "over-time-command", "over-time-query", "percentiles-command", "percentiles-query",
		"send-lag-over-time", "send-lag",
	} {
		want = append(want, fmt.Sprintf("plots/%s.png", name), fmt.Sprintf("plots/%s.svg", name))
	}
	if diff := cmp.Diff(append(want, "report.html"), got); diff != "" {
		t.Errorf("files differ from what is documented:\n%s", diff)
	}
	page, err := root.ReadFile("report.html")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != htmlOf(t, run) {
		t.Error("report.html is not the page")
	}
}

// TestStaleReadsAreShownWhereThereWereSome looks for the section, the shares and
// the sentence of the verdict.
func TestStaleReadsAreShownWhereThereWereSome(t *testing.T) {
	run := fixture.Run(fixture.Default(), 2, 100)
	if page := htmlOf(t, run); strings.Contains(page, "Reads after writes") {
		t.Error("a run without stale reads has a section about them")
	}
	lag := results.NewHist()
	for range 2000 {
		lag.Record(3 * time.Millisecond)
	}
	run.Cells[1].Stale.Accepted = results.StaleAfter{Commands: 2000, Early: 2000, Reads: 400, Stale: 10, Lag: lag}
	run.Cells[1].Stale.Answered = results.StaleAfter{Commands: 2000, Reads: 400, Lag: results.NewHist()}
	page := htmlOf(t, run)
	for _, want := range []string{
		"Reads after writes", `title="10 of 400">2.5 %`, "3.00 ms",
		"state before their own command in up to 2.5 % of the cases", "after they had its result, never",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestEachFrontEndHasItsShareOfTheCalls(t *testing.T) {
	run := fixture.Run(fixture.Default(), 2, 100)
	for _, c := range run.Cells {
		c.Served = []int64{7}
	}
	run.Cells[0].FrontEnds = []int64{150, 30, 20}
	page := htmlOf(t, run)
	for _, want := range []string{"Who did the work", "front end 2", `title="150 of 200">75.0 %`,
		`title="20 of 200">10.0 %`, ">7.50<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "instance 0") {
		t.Error("services of one instance have a table about sharing")
	}
}

func TestEachInstanceHasItsShareOfTheWork(t *testing.T) {
	run := fixture.Run(fixture.Default(), 2, 100)
	run.Cells[0].Served, run.Cells[1].Served = []int64{300, 100}, []int64{7}
	page := htmlOf(t, run)
	for _, want := range []string{"Who did the work", `title="300 of 400">75.0 %`, `title="100 of 400">25.0 %`,
		">3.00<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, c := range run.Cells {
		c.Served = []int64{400}
	}
	if page := htmlOf(t, run); strings.Contains(page, "Who did the work") {
		t.Error("a service of one instance has a section about sharing")
	}
}

// TestUrgentAndNormalStandSideBySide looks for the section, the mechanisms and the
// ratios, and for nothing of it in a run in which nothing is urgent.
func TestUrgentAndNormalStandSideBySide(t *testing.T) {
	plain := fixture.Run(fixture.Default()[:2], 3, 100)
	if strings.Contains(htmlOf(t, plain), `id="urgency"`) || strings.Contains(textOf(t, plain, 200, false), "urgent") {
		t.Error("a run without urgent operations has a section about them")
	}
	run := fixture.Urgent()
	s := urgency(view{run: run, labels: words.Labels(run)})
	if len(s.Tables) != 1 || len(s.Tables[0].Rows) != 6 {
		t.Fatalf("got %+v; want a table with a row for each kind of the three cells that have urgent operations", s)
	}
	for i, r := range s.Tables[0].Rows {
		mechanism := run.Cells[i/2].Urgency.Mechanism
		if r.Cells[0].Text != mechanism {
			t.Errorf("row %d says %q; want %q", i, r.Cells[0].Text, mechanism)
		}
		var ratio float64
		if _, err := fmt.Sscan(r.Cells[8].Text, &ratio); err != nil || mechanism == "none" && math.Abs(ratio-1) > 0.2 ||
			mechanism != "none" && math.Abs(ratio-4) > 0.8 {
			t.Errorf("row %d: normal over urgent is %q with mechanism %q", i, r.Cells[8].Text, mechanism)
		}
	}
	for _, want := range []string{"urgent answered", "normal answered", "overtake by the queue (x-max-priority 1)",
		"wait like the others"} {
		if text := textOf(t, run, 200, false); !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	for _, want := range []string{",urgent,", ",normal,"} {
		if !strings.Contains(csvOf(t, run), want) {
			t.Errorf("the csv has no row with %q", want)
		}
	}
}

// TestTheHistogramLogIsGolden leaves the histograms themselves to package results:
// how they are compressed differs between versions of Go.
func TestTheHistogramLogIsGolden(t *testing.T) {
	payload := regexp.MustCompile(`(?m),HIST[^,\n]*$`)
	log := render(t, func(w io.Writer) error { return results.WriteHistogramLog(w, fixture.Troubled()) })
	golden(t, "troubled.hlog", payload.ReplaceAllString(log, ",HIST"))
}
