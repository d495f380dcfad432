package httpedge

import (
	"context"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// Driver describes the edge.
func Driver() edge.Driver {
	return edge.Driver{
		Name:    "rest",
		Summary: "REST: commands and queries are resources, errors are problem documents",
		Open:    func(c edge.Config) flows.Edge { return New(c) },
	}
}

// An Edge implements [flows.Edge] for one cell.
type Edge struct {
	config edge.Config
	web    *edge.Web
}

// New returns an edge with nothing listening.
func New(config edge.Config) *Edge { return &Edge{config, edge.NewWeb(config)} }

// Listen implements [flows.Edge].
func (e *Edge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	handlers := make([]edge.Backend, len(backends))
	for i, b := range backends {
		handlers[i] = backendHandler(b, e.web, e.config.MaxBody)
	}
	return e.web.Listen(name, handlers...)
}

// Dial implements [flows.Edge].
func (e *Edge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	address, err := e.web.Address(name)
	if err != nil {
		return nil, err
	}
	return &caller{e.web.Client(address, e.config.MaxBody)}, nil
}

// Address returns where a part listens, as host:port.
func (e *Edge) Address(name string) (string, error) { return e.web.Address(name) }
