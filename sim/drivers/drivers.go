// Package drivers lists the brokers and the edges that runs can use. It is the
// only package that knows them all, and so the only one that links their client
// libraries.
package drivers

import (
	"flowbench/sim/broker"
	"flowbench/sim/broker/jetstreambroker"
	"flowbench/sim/broker/membroker"
	"flowbench/sim/broker/natsbroker"
	"flowbench/sim/broker/rabbitbroker"
	"flowbench/sim/edge"
	"flowbench/sim/edge/graphqledge"
	"flowbench/sim/edge/httpedge"
	"flowbench/sim/edge/wsedge"
)

// All returns every broker driver, in the order in which lists and reports show
// them. Adding a broker means adding its package and its line here.
func All() []broker.Driver {
	return []broker.Driver{
		membroker.Driver(),
		natsbroker.Driver(),
		jetstreambroker.Driver(),
		rabbitbroker.Driver(),
	}
}

// Edges returns every edge, in the order in which lists and reports show them;
// the first is what scenarios use that name none. Adding an edge means adding its
// package and its line here.
func Edges() []edge.Driver {
	return []edge.Driver{
		httpedge.Driver(),
		graphqledge.Driver(),
		wsedge.Driver(),
	}
}
