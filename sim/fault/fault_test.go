package fault_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/sim/fault"
	"flowbench/sim/link"
)

// example returns parameters with which a fault can be used.
func example(f fault.Fault) map[string]string {
	params := map[string]string{}
	some := map[string]string{fault.Duration: "5ms", fault.Bytes: "100", fault.BytesPerS: "100000", fault.Requests: "7",
		fault.Words: `["true"]`}
	for _, p := range f.Params {
		if p.Default == "" {
			params[p.Name] = some[p.Unit]
		}
	}
	return params
}

func TestEveryFaultDescribesItself(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := make(map[string]bool)
	for _, f := range fault.All() {
		if !name.MatchString(f.Name) || seen[f.Name] {
			t.Errorf("fault name %q is malformed or taken", f.Name)
		}
		seen[f.Name] = true
		if !strings.HasSuffix(f.Summary, ".") || len(f.On) == 0 {
			t.Errorf("fault %s lacks its sentence or its places", f.Name)
		}
		for _, p := range f.Params {
			if !name.MatchString(p.Name) || p.Summary == "" || p.Unit == "" || p.Min >= p.Max {
				t.Errorf("parameter %q of %s is incomplete: %+v", p.Name, f.Name, p)
			}
		}
		if _, err := f.Harms(example(f)); err != nil {
			t.Errorf("an ordinary use of %s: %v", f.Name, err)
		}
	}
}

// Every fault must be one that links take, in the directions that it claims.
func TestEveryFaultCanBeArmedOnALink(t *testing.T) {
	l, err := link.New(t.Context(), "127.0.0.1:1", link.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, f := range fault.All() {
		directions := []link.Direction{link.BothWays}
		if f.Directed {
			directions = append(directions, link.ToTarget, link.FromTarget)
		}
		impairments, err := f.Harms(example(f))
		if err != nil || len(impairments) == 0 {
			t.Errorf("%s has %d impairments, %v; want some", f.Name, len(impairments), err)
		}
		for _, d := range directions {
			for _, i := range impairments {
				if _, ok := i.(link.Impairment); !ok {
					if _, err := fault.Link(l).Arm(d, i); err == nil {
						t.Errorf("%s: a link took %v", f.Name, i)
					}
					continue
				}
				a, err := fault.Link(l).Arm(d, i)
				if err != nil {
					t.Errorf("%s: %v", f.Name, err)
				} else if err := a.Heal(); err != nil {
					t.Errorf("%s: %v", f.Name, err)
				}
			}
		}
	}
	if a, err := fault.Link(l).Arm(0, link.Stall{}); err == nil || a != nil {
		t.Errorf("arming without a direction returned %v, %v; want only an error", a, err)
	}
}

func TestParametersReachTheHarms(t *testing.T) {
	for _, c := range []struct {
		fault  string
		params map[string]string
		want   []fault.Harm
	}{
		{"latency", map[string]string{"delay": "20ms", "jitter": "5ms"}, []fault.Harm{
			link.Latency{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond},
		}},
		{"bandwidth", map[string]string{"rate": "1000"}, []fault.Harm{link.Bandwidth{BytesPerS: 1000}}},
		{"slice", nil, []fault.Harm{link.Slice{Bytes: 16, Pause: time.Millisecond}}},
		{"slow-close", nil, []fault.Harm{link.SlowClose{Delay: time.Second}}},
		{"limit", map[string]string{"size": "7"}, []fault.Harm{link.Limit{Bytes: 7}}},
		{"reset", map[string]string{"share": "25"}, []fault.Harm{link.Reset{Share: 25}}},
		{"exec", map[string]string{"begin": `["a","b c"]`, "heal": `["d"]`}, []fault.Harm{
			fault.Command{Begin: []string{"a", "b c"}, Heal: []string{"d"}, Limit: 30 * time.Second},
		}},
		{"outage", nil, []fault.Harm{link.Refuse{}, link.Reset{}}},
		{"partition", nil, []fault.Harm{link.Hang{}, link.Stall{}}},
	} {
		f, err := fault.Find(c.fault)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Harms(c.params)
		if err != nil {
			t.Errorf("%s: %v", c.fault, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s differs:\n%s", c.fault, d)
		}
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	for _, c := range []struct {
		fault string
		param string
		value string
		want  string
	}{
		{"latency", "jitter", "1ms", "fault latency: delay: it must be given"},
		{"latency", "delay", "20", `fault latency: delay: "20" is no duration; want one such as 50ms`},
		{"latency", "delay", "1h", "fault latency: delay: 1h0m0s is out of bounds; want 1ns to 10m0s"},
		{"bandwidth", "rate", "0", "fault bandwidth: rate: 0 is out of bounds; want 1 to 1099511627776 bytes/s"},
		{"bandwidth", "rate", "fast", `fault bandwidth: rate: "fast" is no whole number; want bytes/s`},
		{"exec", "heal", `["true"]`, "fault exec: begin: it must be given"},
		{"exec", "begin", "true; false", `fault exec: begin: "true; false" is no list of words in JSON`},
		{"exec", "begin", "[]",
			"fault exec: begin: there are 0 words; want 1 to 32, of which the first names a program"},
		{"stall", "delay", "1s", `fault stall has no parameter "delay"; want one of []`},
	} {
		f, err := fault.Find(c.fault)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Harms(map[string]string{c.param: c.value}); err == nil || err.Error() != c.want {
			t.Errorf("%s with %s=%s: got %v; want %s", c.fault, c.param, c.value, err, c.want)
		}
	}
	f, _ := fault.Find("latency") // found above
	want := "fault latency: the jitter of 2s is more than the delay of 1s"
	_, err := f.Harms(map[string]string{"delay": "1s", "jitter": "2s"})
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	if _, err := fault.Find("flood"); err == nil || !strings.Contains(err.Error(), "latency, bandwidth") {
		t.Errorf("an unknown fault: got %v; want an error that names those that are known", err)
	}
}
