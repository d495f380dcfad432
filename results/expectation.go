package results

// The ways in which an expectation can end.
const (
	ExpectationHeld       = "held"
	ExpectationFailed     = "failed"
	ExpectationCannotTell = "cannot tell" // the numbers do not carry it
)

// An Expectation is a statement about a run, and what became of it. Package expect
// makes them.
type Expectation struct {
	Statement string `json:"statement"`
	Abort     bool   `json:"abort,omitempty"` // the run was to end when it could no longer hold
	Verdict   string `json:"verdict"`
	// Why says what keeps the whole statement from being judged; what keeps single
	// cells from it stands in their findings.
	Why      string               `json:"why,omitempty"`
	Findings []ExpectationFinding `json:"findings"`
}

// An ExpectationFinding is what a statement came to in one cell.
type ExpectationFinding struct {
	Cell    string `json:"cell"`              // by its id
	Against string `json:"against,omitempty"` // the cell on the other side, by its id
	Verdict string `json:"verdict"`
	Figure  string `json:"figure,omitempty"` // what was measured, with its unit
	Limit   string `json:"limit,omitempty"`  // what it was compared with
	N       int64  `json:"n,omitempty"`      // how many samples the figure is from
	Why     string `json:"why,omitempty"`    // why it cannot be told
}

// Deciding returns the finding that decided the verdict: the first that has it. It
// is nil where no cell was concerned.
func (e Expectation) Deciding() *ExpectationFinding {
	for i, f := range e.Findings {
		if f.Verdict == e.Verdict {
			return &e.Findings[i]
		}
	}
	return nil
}

// ExpectationsEnd returns how the expectations of r ended together: failed if one
// did, else cannot tell if one cannot be told, else held. It is held where nothing
// was expected.
func (r *Run) ExpectationsEnd() string {
	end := ExpectationHeld
	for _, e := range r.Expectations {
		switch e.Verdict {
		case ExpectationFailed:
			return ExpectationFailed
		case ExpectationCannotTell:
			end = ExpectationCannotTell
		}
	}
	return end
}
