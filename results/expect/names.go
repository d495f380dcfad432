package expect

import "slices"

// A Named is a cell by the names that statements may choose it by.
type Named struct {
	Flow  string
	Names []string // its broker, edge, way of payloads and store; empty ones are none
}

// Known are all names that there are, whether or not a run has them.
type Known struct{ Flows, Names []string }

func (s selector) chooses(c Named) bool {
	if s.flow != "" && s.flow != c.Flow {
		return false
	}
	for _, n := range s.names {
		if !slices.Contains(c.Names, n) {
			return false
		}
	}
	return true
}

// Check looks whether the names in a statement exist. It reports whether the
// statement concerns any of the cells: one about a flow that this run leaves out
// does not. An error is an [*Error].
func (s *Statement) Check(known Known, cells []Named) (concerns bool, err error) {
	concerns = true
	for _, m := range []*measure{s.left.measure, s.right.measure} {
		if m == nil {
			continue
		}
		if err := m.cells.check(known); err != nil {
			return false, err
		}
		concerns = concerns && slices.ContainsFunc(cells, m.cells.chooses)
	}
	return concerns, nil
}

func (s selector) check(known Known) error {
	at := s.at
	if s.flow != "" {
		if !slices.Contains(known.Flows, s.flow) {
			return unknownName("flow", s.flow, at[0], known.Flows, "; nor does a metric begin so")
		}
		at = at[1:]
	}
	for i, n := range s.names {
		if !slices.Contains(known.Names, n) {
			return unknownName("broker, edge, way of payloads or store", n, at[i], known.Names, "")
		}
	}
	return nil
}

func unknownName(what, name string, at int, names []string, more string) error {
	if near := nearest(name, names); near != "" {
		return errorAt(at, "there is no %s %q%s; did you mean %s?", what, name, more, near)
	}
	return errorAt(at, "there is no %s %q%s; want %s", what, name, more, listed(names))
}
