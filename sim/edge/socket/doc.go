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
// The body of a call may come as a stream, in binary messages, if the protocol has
// those: frames of at most 64 KiB, each with the number of its call, 8 bytes with
// the most significant first, before its data. Frames of many bodies and all other
// messages take turns. A client sends a frame only for credit, which the server
// gives as the endpoint reads: up to a window of 256 KiB, and none before the first
// read, so that what waits at the server is bounded for each call, and one that
// nobody reads holds up no other. At most 256 bodies have a window at once, on all
// sockets of a server; others wait for theirs. A client has little wait to be sent
// when it adds a frame, and a body that breaks off is taken back with its call. A
// server that answers early gives no more credit; what is on its way is dropped.
// A large body in one message does hold up all that comes after it.
//
// Both sides ping, so that a peer that has silently gone is noticed. Pages of
// other origins are refused, and nothing is compressed, so that a small message
// cannot become a large one.
package socket

import (
	"bytes"
	"context"
	"fmt"
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
	Waiting  int           // bytes of messages that wait to be sent; of a watch that wait to be taken, a quarter
	Calls    int           // under way on one socket
	Room     time.Duration // how long a client may take nothing while one of many answers waits for room
	Write    time.Duration // how long one message may take to be written
	Silence  time.Duration // how long before a peer is asked whether it is there
	Response time.Duration // how long it may take to say so

	Frame   int64         // bytes of a body in one message
	Window  int64         // bytes of one body that have been asked for and not been taken
	Windows int           // at once, on all sockets of a server
	Coming  time.Duration // how long a body may take to come; 0 for any time
}

// minWaiting is how many bytes may wait to be sent over a socket whatever the
// size of messages. It holds what many calls at once have answered while the
// client had no processor to itself.
const minWaiting = 16 << 20

// maxWaitingBytes is how many may at most, unless two messages are more.
const maxWaitingBytes = 512 << 20

// For returns bounds for bodies of up to maxBody bytes.
func For(maxBody int64) Bounds {
	message := edge.WrittenLimit(maxBody)
	waiting := max(minWaiting, min(maxWaitingBytes, 64*message), 2*message)
	return Bounds{
		Message: message, Body: maxBody, Waiting: int(waiting), Calls: maxWaiting,
		Room: 2 * time.Second, Write: 10 * time.Second, Silence: 15 * time.Second, Response: 10 * time.Second,
		Frame: 64 << 10, Window: 256 << 10, Windows: 256,
	}
}

// sender returns what sends a message over conn, and ends the connection by
// abort when that takes too long. A timer costs less than a context that could
// end, for which the library starts a function anew each time. One message is
// sent at a time.
func sender(conn *websocket.Conn, within time.Duration, abort func()) func(queued) error {
	late := time.AfterFunc(within, abort)
	late.Stop()
	return func(m queued) error {
		late.Reset(within)
		defer late.Stop()
		return conn.Write(context.Background(), m.kind, m.text)
	}
}

// A receiver reads messages into a buffer that it uses again.
type receiver struct{ buffer bytes.Buffer }

// maxKept is how many bytes a buffer may have to be used again.
const maxKept = 160 << 10

// next returns the next message, which is good until it is called again. A
// context that could end would cost each read a goroutine's worth; closing the
// connection ends a read as well.
func (r *receiver) next(conn *websocket.Conn) (websocket.MessageType, []byte, error) {
	if r.buffer.Cap() > maxKept {
		r.buffer = bytes.Buffer{}
	}
	r.buffer.Reset()
	kind, from, err := conn.Reader(context.Background())
	if err != nil {
		return 0, nil, err
	}
	if _, err := r.buffer.ReadFrom(from); err != nil {
		return 0, nil, fmt.Errorf("read message: %w", err)
	}
	return kind, r.buffer.Bytes(), nil
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
