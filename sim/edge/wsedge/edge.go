package wsedge

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"flowbench/flows"
	"flowbench/sim/edge"
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
	bounds bounds
	web    *edge.Web
}

// bounds are what both ends of a socket hold each other to.
type bounds struct {
	message  int64         // bytes of one
	body     int64         // bytes of one, as the flow sees it
	waiting  int           // bytes of messages that wait to be sent
	calls    int           // under way on one socket
	room     time.Duration // how long a watch may wait for room in the outbox
	write    time.Duration // how long one message may take to be written
	silence  time.Duration // how long before a peer is asked whether it is there
	response time.Duration // how long it may take to say so
}

// minWaiting is how many bytes may wait to be sent over a socket whatever the
// size of messages. It holds what many calls at once have answered while the
// client had no processor to itself.
const minWaiting = 16 << 20

// New returns an edge with nothing listening.
func New(config edge.Config) *Edge {
	message := edge.WrittenLimit(config.MaxBody)
	return &Edge{config: config, web: edge.NewWeb(config), bounds: bounds{
		message: message, body: config.MaxBody, waiting: max(minWaiting, 64*int(message)), calls: maxWaiting,
		room: 2 * time.Second, write: 10 * time.Second, silence: 15 * time.Second, response: 10 * time.Second,
	}}
}

// Listen implements [flows.Edge].
func (e *Edge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	handlers := make([]edge.Backend, len(backends))
	for i, b := range backends {
		handlers[i] = &backend{
			endpoint: b, bounds: e.bounds, log: e.config.Log, sessions: make(map[*session]struct{}),
		}
	}
	return e.web.Listen(name, handlers...)
}

// Dial implements [flows.Edge]. The socket is opened by the first call.
func (e *Edge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	address, err := e.web.Address(name)
	if err != nil {
		return nil, err
	}
	// The client lives until it is closed, whatever becomes of the context that it
	// was dialled in.
	life, end := context.WithCancel(context.Background())
	return &caller{
		url: "ws://" + address + path, http: &http.Client{Transport: e.web.Transport(0)}, bounds: e.bounds,
		timeout: e.config.Timeout, meter: e.config.Meter, life: life, end: end,
	}, nil
}

// Address returns where a part listens, as host:port.
func (e *Edge) Address(name string) (string, error) { return e.web.Address(name) }

// sender returns what sends a message over conn.
func sender(conn *websocket.Conn, within time.Duration) func([]byte) error {
	return func(message []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		return conn.Write(ctx, websocket.MessageText, message)
	}
}

// keepAlive pings the peer of conn until ended is closed, and returns an error
// when the peer does not answer.
func keepAlive(conn *websocket.Conn, b bounds, ended <-chan struct{}) error {
	ticker := time.NewTicker(b.silence)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), b.response)
		err := conn.Ping(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
}
