package drivers_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"

	"flowbench/sim/broker"
	"flowbench/sim/drivers"
)

func TestEveryDriverDescribesItself(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	seen := make(map[string]bool)
	for _, d := range drivers.All() {
		if !name.MatchString(d.Name) || seen[d.Name] {
			t.Errorf("driver name %q is malformed or taken", d.Name)
		}
		seen[d.Name] = true
		if d.Summary == "" || d.Open == nil || d.Traits == nil {
			t.Errorf("driver %s lacks its summary, its traits or the way to open it", d.Name)
		}
		if d.Source != "" && d.Server == "" {
			t.Errorf("driver %s can be started here and takes no address", d.Name)
		}
		for _, p := range d.Params {
			checkParam(t, d, p)
		}
	}
}

func TestEveryEdgeDescribesItself(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	seen := make(map[string]bool)
	for _, d := range drivers.Edges() {
		if !name.MatchString(d.Name) || seen[d.Name] {
			t.Errorf("edge name %q is malformed or taken", d.Name)
		}
		seen[d.Name] = true
		if d.Summary == "" || d.Open == nil {
			t.Errorf("edge %s lacks its summary or the way to open it", d.Name)
		}
	}
}

func checkParam(t *testing.T, d broker.Driver, p broker.Param) {
	t.Helper()
	if p.Summary == "" {
		t.Errorf("parameter %s of %s has no summary", p.Name, d.Name)
	}
	if len(p.Values) > 0 {
		if !slices.Contains(p.Values, p.Default) {
			t.Errorf("parameter %s of %s has the default %q; want one of %q", p.Name, d.Name, p.Default, p.Values)
		}
		return
	}
	if n, err := strconv.Atoi(p.Default); err != nil || n < p.Min || n > p.Max {
		t.Errorf("parameter %s of %s has the default %q; want a number from %d to "+
			"%d", p.Name, d.Name, p.Default, p.Min, p.Max)
	}
}
