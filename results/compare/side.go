package compare

import (
	"fmt"
	"slices"

	"flowbench/results"
)

// A Side is the runs of one version: one run, whose repeats are the observations, or
// several.
type Side struct {
	Name string
	Runs []*results.Run
}

// A Description says what one side was.
type Description struct {
	Name     string            `json:"name"`
	Runs     []string          `json:"runs"`
	Versions map[string]string `json:"versions"` // of the first run
	Started  string            `json:"started,omitempty"`
}

func (s Side) describe() Description {
	d := Description{Name: s.Name, Runs: []string{}}
	for _, r := range s.Runs {
		d.Runs = append(d.Runs, r.ID)
	}
	if len(s.Runs) > 0 {
		d.Versions = s.Runs[0].Versions
		if at := s.Runs[0].Started; !at.IsZero() {
			d.Started = at.UTC().Format("2006-01-02 15:04 UTC")
		}
	}
	return d
}

// observedSide is a side cell by cell.
type observedSide struct {
	ids   []string // of its cells, in the order of the plan
	cells map[string]*sample
}

// A sample is the observations of one cell on one side, in the order of time.
type sample struct {
	cell     *results.Cell   // the first, for what all have in common
	all      []*results.Cell // those that are valid
	observed [][]observed    // their metrics
	invalid  int             // observations that are not valid
	troubled []string        // why machines of observations were not quiet
}

func newSide(s Side) observedSide {
	side := observedSide{cells: make(map[string]*sample)}
	for _, r := range s.Runs {
		for _, merged := range r.Merged().Cells {
			all := merged.Observations
			if len(all) == 0 {
				all = []*results.Cell{merged}
			}
			for _, c := range all {
				side.add(merged.ID, c)
			}
		}
	}
	return side
}

func (s *observedSide) add(id string, c *results.Cell) {
	if s.cells[id] == nil {
		s.cells[id] = &sample{cell: c}
		s.ids = append(s.ids, id)
	}
	one := s.cells[id]
	if !c.Valid {
		one.invalid++
		return
	}
	one.all, one.observed = append(one.all, c), append(one.observed, observe(c))
	if why := c.Disturbed(); len(why) > 0 {
		one.troubled = append(one.troubled, why[0])
	}
}

// tolerated is the share of observations that may be spoilt by the machine. Ranks
// bear with a few.
const tolerated = 0.25

// disturbed says why the observations of a cell cannot be trusted, if they cannot: too
// many of them are not valid, or from a machine that was not quiet.
func (s *sample) disturbed() string {
	bad, n := s.invalid+len(s.troubled), s.invalid+len(s.all)
	if float64(bad) <= tolerated*float64(n) {
		return ""
	}
	switch {
	case len(s.troubled) == 0:
		return fmt.Sprintf("%d of %d observations are not valid", s.invalid, n)
	case s.invalid == 0:
		return fmt.Sprintf("in %d of %d observations the machine was not quiet, such as: %s", bad, n, s.troubled[0])
	}
	return fmt.Sprintf("%d of %d observations are not valid, and in %d the machine was not quiet, such as: %s",
		s.invalid, n, len(s.troubled), s.troubled[0])
}

// metrics returns the metrics of a sample, in their order: those of any observation.
func (s *sample) metrics() []Metric {
	var all []Metric
	for _, one := range s.observed {
		for _, o := range one {
			if !slices.Contains(all, o.Metric) {
				all = append(all, o.Metric)
			}
		}
	}
	return all
}

// values returns the values of a metric, or false where an observation has none or
// one that its samples do not resolve.
func (s *sample) values(m Metric) ([]float64, bool) {
	var values []float64
	for _, one := range s.observed {
		i := slices.IndexFunc(one, func(o observed) bool { return o.Metric == m })
		if i < 0 || !one[i].resolved {
			return nil, false
		}
		values = append(values, one[i].value)
	}
	return values, len(values) > 0
}
