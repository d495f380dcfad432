package graphqledge

import (
	"context"
	"fmt"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// Driver describes the edge.
func Driver() edge.Driver {
	return edge.Driver{
		Name:    "graphql",
		Summary: "GraphQL: one endpoint with a schema, over HTTP or a socket, bodies as base64",
		Sockets: true,
		Open:    func(c edge.Config) flows.Edge { return New(c) },
	}
}

// An Edge implements [flows.Edge] for one cell.
type Edge struct {
	config   edge.Config
	bounds   socket.Bounds // of sockets
	greeting time.Duration // how long a client of a socket may take to begin
	web      *edge.Web
}

// New returns an edge with nothing listening.
func New(config edge.Config) *Edge {
	return &Edge{
		config: config, bounds: socket.For(config.MaxBody), greeting: greeting, web: edge.NewWeb(config),
	}
}

// greeting is how long a client of a socket may take to begin.
const greeting = 3 * time.Second

// Listen implements [flows.Edge].
func (e *Edge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	handlers := make([]edge.Backend, len(backends))
	for i, b := range backends {
		h, err := e.backend(b)
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
	return &caller{
		client: e.web.Client(address, edge.WrittenLimit(e.config.MaxBody)),
		socket: socket.NewClient("ws://"+address+path, subprotocol, codec{e.config.MaxBody}, e.bounds,
			e.web.Transport(0), e.config),
		overSocket: e.config.Socket, maxBody: e.config.MaxBody,
	}, nil
}

// Address returns where a part listens, as host:port.
func (e *Edge) Address(name string) (string, error) { return e.web.Address(name) }
