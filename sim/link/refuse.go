package link

// Refuse closes the listener, so that connections are refused by the kernel as
// those to a program that is not there. The address stays the link's own, and
// connections that exist stay too: with [Reset] it is a crash.
//
// Who was refused is only known of those that dial with [Link.Dialer].
type Refuse struct{}

// String returns the impairment in words.
func (Refuse) String() string { return "refuse" }

func (Refuse) check() error { return nil }

func (Refuse) impose(r *rules, a *Armed) { r.refuse = append(r.refuse, a) }
