package link

// Reset sends a reset to both ends of every connection when it is armed, and to
// every new one until it is healed. What they held is lost.
type Reset struct{}

// String returns the impairment in words.
func (Reset) String() string { return "reset" }

func (Reset) check() error { return nil }

func (Reset) impose(r *rules, a *Armed) { r.reset = append(r.reset, a) }
