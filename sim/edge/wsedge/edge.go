package wsedge

import (
	"context"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// Driver describes the edge.
func Driver() edge.Driver {
	return edge.Driver{
		Name:    "ws",
		Summary: "WebSocket: one socket for each client, JSON messages, bodies as base64",
		Sockets: true,
		Open:    func(c edge.Config) flows.Edge { return New(c) },
	}
}

// path is where a server accepts sockets.
const path = "/socket"

// An Edge implements [flows.Edge] for one cell.
type Edge struct {
	config edge.Config
	bounds socket.Bounds
	web    *edge.Web
}

// New returns an edge with nothing listening.
func New(config edge.Config) *Edge {
	bounds := socket.For(config.MaxBody)
	bounds.Coming = config.Timeout
	return &Edge{config: config, bounds: bounds, web: edge.NewWeb(config)}
}

// Listen implements [flows.Edge].
func (e *Edge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	handlers := make([]edge.Backend, len(backends))
	for i, b := range backends {
		handlers[i] = newBackend(b, e.bounds, e.config.Log)
	}
	return e.web.Listen(name, handlers...)
}

// Dial implements [flows.Edge]. The socket is opened by the first call.
func (e *Edge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	address, err := e.web.Address(name)
	if err != nil {
		return nil, err
	}
	return socket.NewClient("ws://"+address+path, "", codec{e.config.MaxBody}, e.bounds, e.web.Transport(0),
		e.config), nil
}

// Address returns where a part listens, as host:port.
func (e *Edge) Address(name string) (string, error) { return e.web.Address(name) }
