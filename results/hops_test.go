package results

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyHops draws records whose legs follow each other, and some that are beside.
func anyHops(t *rapid.T) []HopRecord {
	part := rapid.SampledFrom([]string{"client", "front-end", "service", "broker"})
	kind := rapid.SampledFrom(hopOrder())
	var all []HopRecord
	for i := range rapid.IntRange(1, 20).Draw(t, "n") {
		r := HopRecord{
			Op: uint64(i + 1), Kind: rapid.SampledFrom(Kinds()).Draw(t, "kind"),
			Status: rapid.SampledFrom([]Status{OK, OK, Failed, Unknown}).Draw(t, "status"),
			Trace:  strings.Repeat("0", 31) + "1", Span: strings.Repeat("f", 16),
			Due:  time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "due")),
			Ends: rapid.SampledFrom([]string{"answered", "answered", "applied"}).Draw(t, "ends"),
		}
		for range rapid.IntRange(1, 12).Draw(t, "legs") {
			l := HopLeg{
				Hop: Hop{
					From: part.Draw(t, "from"), To: part.Draw(t, "to"), Kind: kind.Draw(t, "hop"),
					Poll: rapid.Bool().Draw(t, "poll"), Beside: rapid.Bool().Draw(t, "beside"),
				},
				At: r.Took, For: time.Duration(rapid.Int64Range(0, 1e7).Draw(t, "for")),
			}
			if !l.Beside {
				r.Took += l.For
			}
			r.Legs = append(r.Legs, l)
		}
		all = append(all, r)
	}
	return all
}

// TestSumsOfHopsAreTheSumOfTheOperations holds means to the operations that they
// are from: those of hops that are not beside add up, to the nanosecond.
func TestSumsOfHopsAreTheSumOfTheOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := anyHops(t)
		for kind, k := range SumHops(records) {
			var took, way, beside time.Duration
			var n int64
			for _, r := range records {
				if r.Kind.String() != kind || r.Status != OK || r.Ends != k.Ends {
					continue
				}
				n++
				took += r.Took
				for _, l := range r.Legs {
					if l.Beside {
						beside += l.For
					}
				}
			}
			for _, h := range k.Hops {
				if h.Hist.N() > n || h.Times < h.Hist.N() {
					t.Fatalf("%+v: %d of %d operations passed it, %d times", h.Hop, h.Hist.N(), n, h.Times)
				}
				if h.Beside {
					beside -= h.Sum
				} else {
					way += h.Sum
				}
			}
			if k.Total.N() != n || k.Sum != took || way != took || beside != 0 {
				t.Fatalf("%s: the hops of %d operations add up to %v, all of them to %v; want %v of %d operations",
					kind, k.Total.N(), way, k.Sum, took, n)
			}
		}
	})
}

func TestHopsAreReadAsTheyWereWritten(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		want := anyHops(t)
		var b bytes.Buffer
		if err := writeHops(&b, HopsHeader{Cell: "a", Began: began}, want); err != nil {
			t.Fatal(err)
		}
		f, err := ReadHops(&b)
		if err != nil {
			t.Fatal(err)
		}
		var got []HopRecord
		for r, err := range f.Records() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if f.Cell != "a" || !f.Began.Equal(began) || !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v; want %+v", got, want)
		}
	})
}

// TestHopsThatCannotBeRead says what is wrong, and in which line.
func TestHopsThatCannotBeRead(t *testing.T) {
	const head = `{"schema":"flowbench.hops/1","hops":[{"from":"a","to":"b","kind":"call"}]}` + "\n"
	line := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"op":1,"kind":"query","status":"ok",` +
			`"trace":"000000000000000000000000000000ff","span":"00000000000000ff","legs":[[0,1,2]]}`)
	}
	for _, tt := range []struct{ text, want string }{
		{"", "the file is empty"},
		{"{", "line 1:"},
		{`{"schema":"flowbench.hops/9"}`,
			`line 1: schema is "flowbench.hops/9"; this flowbench reads "flowbench.hops/1"`},
		{head + line() + "\n" + line("query", "wish"), `line 3: kind is "wish"; want command or query`},
		{head + line("ok", "fine"), `line 2: status is "fine"`},
		{head + line("00ff", "00FF"), "line 2: trace"},
		{head + line("ff", "00"), "line 2: trace"},
		{head + line("[[0", "[[1"), "line 2: a leg names hop 1 of 1"},
		{head + line("[[0", "[[-1"), "line 2: a leg names hop -1 of 1"},
		{head + line("1,2]", "1,-2]"), "line 2: a leg takes -2 ns"},
		{head + line()[:20], "line 2: unexpected end of JSON input"},
	} {
		f, err := ReadHops(strings.NewReader(tt.text))
		if err == nil {
			for _, failed := range f.Records() {
				err = failed
			}
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q is read with %v; want %q", tt.text, err, tt.want)
		}
	}
}

func TestACellWithoutHopsHasNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, &Run{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteHops("a", time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHops(w.Root(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open returns %v; want that it does not exist", err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, cellsDir)); err != nil || len(entries) > 0 {
		t.Errorf("there are %v, %v; want no file", entries, err)
	}
}

func TestSpansOfLegsDifferFromEachOtherAndFromTheirParent(t *testing.T) {
	r := HopRecord{Span: "00000000000000ff"}
	seen := map[string]bool{r.Span: true}
	for i := range 1000 {
		s := r.LegSpan(i)
		if !isHex(s, 8) || seen[s] {
			t.Fatalf("leg %d has the span %q, which is none or taken", i, s)
		}
		seen[s] = true
	}
}

// FuzzReadHops reads arbitrary text as a file of hops.
func FuzzReadHops(f *testing.F) {
	f.Add([]byte(`{"schema":"flowbench.hops/1","hops":[{"from":"a","to":"b","kind":"call"}]}` + "\n" +
		`{"op":1,"kind":"query","status":"ok","trace":"000000000000000000000000000000ff",` +
		`"span":"00000000000000ff","ends":"answered","legs":[[0,1,2]]}`))
	f.Add([]byte(`{"schema":"flowbench.hops/1"}` + "\n{}\n[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHops(bytes.NewReader(b))
		if err != nil {
			return
		}
		var all []HopRecord
		for r, err := range h.Records() {
			if err == nil {
				all = append(all, r)
			}
		}
		c := Cell{Hops: &Hops{Kinds: SumHops(all)}}
		c.summaryHops()
	})
}
