// Package drivers lists the brokers, the edges and the stores that runs can use. It is the
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
	"flowbench/sim/store"
	"flowbench/sim/store/filestore"
	"flowbench/sim/store/ftpstore"
	"flowbench/sim/store/httpstore"
	"flowbench/sim/store/memstore"
	"flowbench/sim/store/natsstore"
	"flowbench/sim/store/s3store"
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

// Stores returns every store, in the order in which lists and reports show them.
// Adding a store means adding its package and its line here.
func Stores() []store.Driver {
	return []store.Driver{
		memstore.New(),
		filestore.New(),
		httpstore.New(),
		s3store.New(),
		ftpstore.New(),
		natsstore.New(),
	}
}
