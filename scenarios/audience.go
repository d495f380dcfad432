package scenarios

import "flowbench/flows"

// audience checks that a flow which tells others than the client has as many of
// them as it can do with.
func (b *planner) audience(f flows.Spec) {
	const path = "load.subscribers"
	at, l := b.place(path), &b.s.Load
	switch {
	case f.Tells == flows.Everyone && l.Subscribers == 0:
		b.add(at, "flow %s tells subscribers of every command and %s is 0; want at least 1", f.Name, path)
	case f.Tells != flows.Watchers:
	case l.Subscribers > l.Clients:
		b.add(at, "flow %s tells clients that watch, and %s %d are more than load.clients %d; want at most as many",
			f.Name, path, l.Subscribers, l.Clients)
	case l.Subscribers*l.Keys > flows.MaxWatches:
		b.add(at, "flow %s has each of load.keys %d watched by %s %d; want at most %d live queries together",
			f.Name, l.Keys, path, l.Subscribers, flows.MaxWatches)
	case (l.Subscribers*l.Keys+l.Clients-1)/l.Clients > flows.MaxWatchesOfOne:
		b.add(at, "flow %s shares %d live queries among load.clients %d; want at most %d for each of them",
			f.Name, l.Subscribers*l.Keys, l.Clients, flows.MaxWatchesOfOne)
	}
}
