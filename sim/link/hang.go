package link

// Hang accepts new connections and does nothing with them: the case that costs
// clients their whole timeout, where a refusal costs them nothing. When it is
// healed the connections go on to the target, and nothing is lost. Those that
// exist are not touched.
type Hang struct{}

// String returns the impairment in words.
func (Hang) String() string { return "hang" }

func (Hang) check() error { return nil }

func (Hang) impose(r *rules, a *Armed) { r.hang = append(r.hang, a) }
