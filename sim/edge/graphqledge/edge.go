package graphqledge

import (
	"context"
	"fmt"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// Driver describes the edge.
func Driver() edge.Driver {
	return edge.Driver{
		Name:    "graphql",
		Summary: "GraphQL over HTTP: one endpoint with a schema, bodies as base64",
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
		h, err := backendHandler(b, e.config.MaxBody)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		handlers[i] = h
	}
	return e.web.Listen(name, handlers...)
}

// Dial implements [flows.Edge].
func (e *Edge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	address, err := e.web.Address(name)
	if err != nil {
		return nil, err
	}
	return &caller{e.web.Client(address, edge.WrittenLimit(e.config.MaxBody)), e.config.MaxBody}, nil
}

// Address returns where a part listens, as host:port.
func (e *Edge) Address(name string) (string, error) { return e.web.Address(name) }
