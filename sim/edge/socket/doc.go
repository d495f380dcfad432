// Package socket is what edges over WebSocket have in common: sessions, which
// are the server's ends, and clients, which are the others. What the messages
// say is the business of the edge; it gives a [Protocol] to the one and a
// [Codec] to the other.
//
// Many calls are under way on a socket at once, and each may have any number of
// answers. When the socket is lost, nobody knows what became of them, and they
// end so at once, not at their timeouts. The next call dials anew. Before a
// socket is there, a call certainly has not been made.
//
// What either end holds for the other is bounded: the size of a message, the
// calls that are under way, the messages that wait to be sent, and the answers
// that a caller has not taken yet. An endpoint with much to say waits a little
// for a client to take it. A client that does not is dropped with a reason, and
// what waits for it is dropped at once; a caller that does not take the answers
// of one watch loses that watch, and its other calls go on.
//
// Both sides ping, so that a peer that has silently gone is noticed. Pages of
// other origins are refused, and nothing is compressed, so that a small message
// cannot become a large one.
package socket

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"flowbench/sim/edge"
)

// Codes with which a session ends a socket. Protocols have more of their own.
const (
	Unsupported = int(websocket.StatusUnsupportedData)
	Malformed   = int(websocket.StatusInvalidFramePayloadData)
)

// Bounds are what both ends of a socket hold each other to.
type Bounds struct {
	Message  int64         // bytes of one
	Body     int64         // bytes of one, as the flow sees it
	Waiting  int           // bytes of messages that wait to be sent, and of answers that wait to be taken
	Calls    int           // under way on one socket
	Room     time.Duration // how long one of many answers may wait for room among what waits to be sent
	Write    time.Duration // how long one message may take to be written
	Silence  time.Duration // how long before a peer is asked whether it is there
	Response time.Duration // how long it may take to say so
}

// minWaiting is how many bytes may wait to be sent over a socket whatever the
// size of messages. It holds what many calls at once have answered while the
// client had no processor to itself.
const minWaiting = 16 << 20

// For returns bounds for bodies of up to maxBody bytes.
func For(maxBody int64) Bounds {
	message := edge.WrittenLimit(maxBody)
	return Bounds{
		Message: message, Body: maxBody, Waiting: max(minWaiting, 64*int(message)), Calls: maxWaiting,
		Room: 2 * time.Second, Write: 10 * time.Second, Silence: 15 * time.Second, Response: 10 * time.Second,
	}
}

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
func keepAlive(conn *websocket.Conn, b Bounds, ended <-chan struct{}) error {
	ticker := time.NewTicker(b.Silence)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), b.Response)
		err := conn.Ping(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
}
