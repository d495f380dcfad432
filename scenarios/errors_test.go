package scenarios

import (
	"errors"
	"strings"
	"testing"

	"flowbench/flows"
)

func TestSingleErrorsCanBeReached(t *testing.T) {
	err := parseAndPlan("x.yaml", []byte("name: X\nflows: [direct]\nsed: 1\n"))
	var several Errors
	var one *Error
	if !errors.As(err, &several) || !errors.As(err, &one) || *one != *several[0] || one.Line != 1 {
		t.Errorf("errors.As finds %v in %v; want the first error", one, err)
	}
}

func TestNearestGuessesSlipsAndNothingElse(t *testing.T) {
	names := []string{"rate_per_s", "users", "clients", "keys", "timeout"}
	for got, want := range map[string]string{
		"rate": "rate_per_s", "rate_per_sec": "rate_per_s", "user": "users", "suers": "users", "key": "keys",
		"tiemout": "timeout", "clinets": "clients", "frequency": "", "": "", "x": "", "usrs": "users",
	} {
		if near := nearest(got, names); near != want {
			t.Errorf("nearest to %q is %q; want %q", got, near, want)
		}
	}
}

func TestAnEdgeThatIsNotThereIsAnError(t *testing.T) {
	s, err := Parse("x.yaml", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	cat := testCatalog()
	cat.Edges = nil
	const want = "x.yaml:2:9: flow direct uses an edge, and there is none; want another flow"
	if _, err := s.Plan(cat); err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	cat.Edges = []Edge{{Name: "graphql"}}
	const other = `there is no edge "rest"; want graphql`
	if _, err := s.Plan(cat); err == nil || !strings.HasSuffix(err.Error(), other) {
		t.Errorf("got %v; want %s", err, other)
	}
}

func TestParametersThatContradictEachOtherAreToldWhereTheyStand(t *testing.T) {
	cat := Catalog{
		Flows: []flows.Spec{{Name: "a", Uses: flows.UsesBroker}},
		Brokers: []Broker{{
			Name:   "b",
			Params: []Param{{Name: "p", Default: "1", Max: 9}, {Name: "q", Default: "1", Max: 9}},
			Check: func(p map[string]string) error {
				if p["p"] != p["q"] {
					return errors.New("p and q differ; want them equal")
				}
				return nil
			},
		}},
	}
	s, err := Parse("x.yaml", []byte("name: x\nflows: [a]\nbrokers:\n  - b\n  - {name: b, p: 2}\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "x.yaml:5:5: broker b cannot be set so: p and q differ; want them equal"
	if _, err := s.Plan(cat); err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestCellsHaveDifferentIDsWhateverTheNames(t *testing.T) {
	cat := Catalog{
		Flows:   []flows.Spec{{Name: "a", Uses: flows.UsesBroker}, {Name: "a-b", Uses: flows.UsesBroker}},
		Brokers: []Broker{{Name: "b-c"}, {Name: "c"}},
	}
	s, err := Parse("x.yaml", []byte("name: x\nflows: [a, a-b]\nbrokers: [b-c, c]\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(cat)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, id := range ids(p) {
		if seen[id] {
			t.Errorf("id %s is there twice in %q", id, ids(p))
		}
		seen[id] = true
	}
}
