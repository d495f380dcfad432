package results

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// filled returns a cell with something in every field, however deep.
func filledCell(repeat int) *Cell {
	var c Cell
	fill(reflect.ValueOf(&c).Elem())
	c.ID, c.Of, c.Repeat, c.Observations = "x-r"+string(rune('0'+repeat)), "x", repeat, nil
	c.Load.Warmup, c.Load.Measured = time.Second, 2*time.Second
	c.Seconds = []Second{{At: 0, Phase: "warmup"}, {At: 1, Phase: "measured"}, {At: 2, Phase: "measured"}}
	c.Faults = []Fault{{What: "outage", Begin: time.Second, Healed: 2 * time.Second}}
	c.Timeline = &Timeline{Due: []int32{1, 2}, Slowest: []time.Duration{1, 2}, P99: []time.Duration{7}}
	c.Valid, c.Why, c.Warnings = false, []string{"it was cut short"}, []string{"woke up to 5 ms late"}
	return &c
}

// fill sets every value below v to something that is not zero.
func fill(v reflect.Value) {
	if h, ok := v.Addr().Interface().(**Hist); ok {
		*h = NewHist()
		(*h).Record(time.Millisecond)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Type != reflect.TypeFor[[]*Cell]() {
				fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("command").Convert(v.Type().Key()), value)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		v.Set(reflect.ValueOf(1).Convert(v.Type()))
	}
}

// TestNothingOfACellIsForgottenWhenRepeatsAreMerged fails for a field that is new in
// a cell or in a part of it: say in mergeCells what becomes of it.
func TestNothingOfACellIsForgottenWhenRepeatsAreMerged(t *testing.T) {
	r := &Run{Repeats: 2, CellIDs: []string{"x-r1", "x-r2"}, Cells: []*Cell{filledCell(1), filledCell(2)}}
	m := reflect.ValueOf(r.Merged().Cells[0]).Elem()
	for i := range m.NumField() {
		name := m.Type().Field(i).Name
		switch name {
		case "Of", "Repeat", "Valid":
			if !m.Field(i).IsZero() {
				t.Errorf("%s is set in a merged cell", name)
			}
			continue
		}
		if m.Field(i).IsZero() {
			t.Errorf("%s is forgotten", name)
		}
		switch name {
		case "Seconds", "Events", "Faults", "Timeline", "Observations", "Load", "Sweep", "Use":
		default:
			doubled(t, name, m.Field(i))
		}
	}
}

// doubled checks that every histogram and every count below v is of both repeats.
func doubled(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if h, ok := v.Interface().(*Hist); ok {
		if h == nil || h.N() != 2 {
			t.Errorf("%s is a histogram that is not of both repeats", path)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			doubled(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Pointer:
		if v.IsNil() {
			t.Errorf("%s is forgotten", path)
			return
		}
		doubled(t, path, v.Elem())
	case reflect.Map:
		if v.Len() == 0 {
			t.Errorf("%s is forgotten", path)
		}
		for _, key := range v.MapKeys() {
			doubled(t, path+"."+key.String(), v.MapIndex(key))
		}
	case reflect.Slice:
		for i := range v.Len() {
			doubled(t, path, v.Index(i))
		}
	case reflect.Int64:
		if path == "Hops.OneIn" { // which is a ratio
			return
		}
		if v.Type() != reflect.TypeFor[time.Duration]() && v.Int() != 2 {
			t.Errorf("%s is %d; want the sum of both repeats, 2", path, v.Int())
		}
	}
}

func TestMergingTwiceChangesNothing(t *testing.T) {
	r := &Run{Repeats: 2, CellIDs: []string{"x-r1", "x-r2"}, Cells: []*Cell{filledCell(1), filledCell(2)}}
	m := r.Merged()
	if m.Merged() != m {
		t.Error("a merged run is merged again")
	}
	once := &Run{CellIDs: []string{"x"}, Cells: []*Cell{{ID: "x"}}}
	if once.Merged() != once {
		t.Error("a run without repeats is not returned as it is")
	}
	if len(r.Cells) != 2 || r.Cells[0].Of != "x" {
		t.Error("merging changed the run that was merged")
	}
}

func TestAMergedRunKnowsOfCellsThatNeverBegan(t *testing.T) {
	r := &Run{
		Finished: true, Repeats: 2, CellIDs: []string{"x-r1", "y-r1", "y-r2", "x-r2"},
		Cells: []*Cell{{ID: "x-r1", Of: "x", Repeat: 1, Valid: true, Finished: true}},
	}
	m := r.Merged()
	if diff := cmp.Diff([]string{"x", "y"}, m.CellIDs); diff != "" {
		t.Errorf("cells differ:\n%s", diff)
	}
	if len(m.Cells) != 1 || m.Cells[0].Valid || m.Cells[0].Finished || m.Sound() {
		t.Errorf("a cell of which a repeat is missing counts as sound: %+v", m.Cells[0])
	}
}

func TestRatesOfAMergedCellAreThoseOfItsRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &Run{}
		var ok int64
		var measured time.Duration
		for i := range rapid.IntRange(1, 6).Draw(t, "repeats") {
			c := &Cell{ID: "x", Of: "x", Repeat: i + 1, Finished: true, Valid: true}
			c.Counts.OK = int64(rapid.IntRange(0, 1000).Draw(t, "ok"))
			c.Counts.Due = c.Counts.OK
			c.Load.Measured = time.Duration(rapid.IntRange(1, 9).Draw(t, "seconds")) * time.Second
			ok, measured = ok+c.Counts.OK, measured+c.Load.Measured
			r.Cells, r.CellIDs, r.Repeats = append(r.Cells, c), []string{"x"}, i+1
		}
		m := r.Merged().Cells[0]
		if got, want := m.AchievedPerS(), float64(ok)/measured.Seconds(); got != want {
			t.Fatalf("rate is %v; want %v", got, want)
		}
		if !m.Counts.Closes() || !m.Valid {
			t.Fatalf("merged cell is %+v", m)
		}
	})
}

func TestAMergedHistogramIsThatOfAllValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, all := &Run{CellIDs: []string{"x"}}, NewCoarseHist()
		for i := range rapid.IntRange(1, 3).Draw(t, "repeats") {
			h := NewCoarseHist()
			for _, us := range rapid.SliceOfN(rapid.IntRange(1, 1e6), 1, 30).Draw(t, "us") {
				h.Record(time.Duration(us) * time.Microsecond)
				all.Record(time.Duration(us) * time.Microsecond)
			}
			r.Cells = append(r.Cells, &Cell{
				Of: "x", Repeat: i + 1, Latency: map[string]map[string]*Hist{"command": {"answered": h}},
			})
		}
		got := r.Merged().Cells[0].LatencyOf(Command, AnsweredStage)
		for _, p := range []float64{0, 0.1, 0.5, 0.9, 0.99, 1} {
			if got.N() != all.N() || got.Quantile(p) != all.Quantile(p) {
				t.Fatalf("p%g of the merged is %v of %d; want %v of %d", 100*p, got.Quantile(p), got.N(),
					all.Quantile(p), all.N())
			}
		}
	})
}

func TestTimesOfRepeatsStandOneAfterAnother(t *testing.T) {
	r := &Run{Repeats: 2, CellIDs: []string{"x-r1", "x-r2"}, Cells: []*Cell{filledCell(2), filledCell(1)}}
	m := r.Merged().Cells[0]
	var at []int
	for _, s := range m.Seconds {
		at = append(at, s.At)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, at); diff != "" {
		t.Errorf("seconds differ:\n%s", diff)
	}
	if got := m.Faults[1].Begin; got != 4*time.Second {
		t.Errorf("the fault of the second repeat begins at %v; want 4s", got)
	}
	const perS, tailsPerS = int(time.Second / BinWidth), int(time.Second / TailWidth)
	if got := m.Timeline.Due; len(got) != 3*perS+2 || got[3*perS] != 1 || got[2] != 0 {
		t.Errorf("bins of the repeats are not one after another: %v", got)
	}
	if got := m.Timeline.P99; len(got) != 3*tailsPerS+1 || got[3*tailsPerS] != 7 || got[1] != -1 {
		t.Errorf("tails of the repeats are not one after another: %v", got)
	}
}

func TestTextsThatDifferInFiguresAreSaidOnce(t *testing.T) {
	say := func(repeat int, texts ...string) *Cell { return &Cell{Repeat: repeat, Warnings: texts} }
	got := gather([]*Cell{
		say(1, "woke up to 9.5 ms late (p99)"), say(2, "other"), say(3, "woke up to 1.02 s late (p99)"), say(4),
	}, func(c *Cell) []string { return c.Warnings })
	want := []string{"2 of 4 repeats, most in repeat 3: woke up to 1.02 s late (p99)", "repeat 2: other"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts differ:\n%s", diff)
	}
}
