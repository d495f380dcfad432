//go:build !linux

package link

// A keeper keeps nothing here. On BSD systems a bound socket beside a listener
// would need SO_REUSEPORT and might be handed the listener's connections. The
// address is free while the link refuses, and is taken again when it is healed;
// should somebody else have taken it in those seconds, healing says so.
type keeper struct{}

func keep() (keeper, string, error) { return keeper{}, "127.0.0.1:0", nil }

func (keeper) close() error { return nil }
