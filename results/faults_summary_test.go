package results

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheSummaryHasFaultsOnlyWhereThereWereSome(t *testing.T) {
	run := &Run{Cells: []*Cell{{}, {Faults: []Fault{
		{
			What: "outage", On: "broker", Begin: 2 * time.Second, Begun: 2*time.Second + 500*time.Microsecond,
			Heal: 3 * time.Second, Healed: 3250 * time.Millisecond, Effect: "3 connections cut",
			Recovery: &Recovery{
				BaseP99: 1500 * time.Microsecond, Worst: 1900 * time.Microsecond, BasePerS: 400,
				Detect: Moment{50 * time.Millisecond, true},
				Down:   time.Second, Gap: 950 * time.Millisecond, Recover: Moment{0, true}, Within: 4 * time.Second,
				Backlog: 7, Offered: 400, Bad: 12, Measured: 1000,
				Traffic: &Traffic{
					Before: Sent{Due: 1000, Messages: 2000, Requests: 500},
					During: Sent{Due: 400, Messages: 800, Redelivered: 100, Requests: 300},
				},
			},
		},
		{What: "stall", On: "edge", Params: map[string]string{"way": "both"}, Absent: true},
	}}}}
	var got []json.RawMessage
	for _, c := range run.Summary().Cells {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		got = append(got, fields["faults"])
	}
	if got[0] != nil {
		t.Errorf("a cell without faults has %s", got[0])
	}
	const want = `[{"what":"outage","on":"broker","params":{},"begin_ms":2000,"begun_ms":2000.5,"heal_ms":3000,` +
		`"healed_ms":3250,"absent":false,"effect":"3 connections cut",` +
		`"recovery":{"base_p99_us":1500,"base_worst_us":1900,"base_per_s":400,` +
		`"detect_ms":50,"down_ms":1000,"gap_ms":950,` +
		`"recover_ms":0,"within_ms":4000,"backlog":7,"drain_per_s":0,` +
		`"offered":400,"bad":12,` +
		`"burn":3,"budget_used":1.2,"amplification":1.2,` +
		`"sent":{"before":{"due":1000,"messages":2,"redelivered":0,"requests":0.5},` +
		`"during":{"due":400,"messages":2,"redelivered":0.25,"requests":0.75}}}},` +
		`{"what":"stall","on":"edge","params":{"way":"both"},"begin_ms":0,"begun_ms":0,` +
		`"heal_ms":0,"healed_ms":0,"absent":true,"effect":""}]`
	if diff := cmp.Diff(want, string(got[1])); diff != "" {
		t.Errorf("faults differ:\n%s", diff)
	}
}

// TestFaultsAreDescribed looks for every field of a fault in the document that
// says what it is.
func TestFaultsAreDescribed(t *testing.T) {
	b, err := os.ReadFile("../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for prefix, of := range map[string]reflect.Type{
		"": reflect.TypeFor[SummaryFault](), "recovery.": reflect.TypeFor[SummaryRecovery](),
	} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(doc, "`"+prefix+name+"`") && !strings.Contains(doc, "`."+name+"`") {
				t.Errorf("docs/results.md does not describe %s%s", prefix, name)
			}
		}
	}
}
