package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// An outbox is what waits to be sent over one socket. There is at most one
// writer at any time: whoever puts in a message while there is none becomes it,
// and sends until the outbox is empty. So a message most often leaves by the
// hand that wrote it, without waking another.
type outbox struct {
	send     func(queued) error
	capacity int // bytes that may wait

	mu      sync.Mutex
	waiting []queued
	frames  int    // that wait or are being sent
	bytes   int    // of them
	count   uint64 // of messages that have been sent
	writing bool
	room    chan struct{} // closed when there is room again; nil if nobody waits for that
	err     error         // once nothing is sent any more
}

// A queued is a message that waits to be sent.
type queued struct {
	text []byte
	kind websocket.MessageType
}

// maxWaiting is how many messages may wait, whatever their size.
const maxWaiting = 1 << 14

var errSlow = errors.New("too much waits to be sent")

// put queues a message. It reports whether the caller is the writer now and must
// call write; the error says that the outbox is full, which is errSlow, or closed.
func (o *outbox) put(message []byte) (writer bool, err error) {
	return o.putAs(message, websocket.MessageText)
}

func (o *outbox) putAs(message []byte, kind websocket.MessageType) (writer bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false, o.err
	}
	// A message that finds nothing before it is sent whatever its size.
	if o.frames >= maxWaiting || o.bytes > 0 && o.bytes+len(message) > o.capacity {
		return false, errSlow
	}
	o.waiting = append(o.waiting, queued{message, kind})
	o.frames++
	o.bytes += len(message)
	writer = !o.writing
	o.writing = true
	return writer, nil
}

// await waits until little waits, for those who send many messages: these should
// neither be what fills the outbox nor hold up the answers to other calls. It
// ends with errSlow when nothing is sent within a time, or too little within
// several, with ctx, and when the outbox is closed.
func (o *outbox) await(ctx context.Context, within time.Duration) error {
	var late <-chan time.Time
	var timer *time.Timer
	var seen uint64
	for times := 0; ; {
		o.mu.Lock()
		if o.err != nil || o.little() {
			defer o.mu.Unlock()
			return o.err
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room, count := o.room, o.count
		o.mu.Unlock()
		if timer == nil {
			timer = time.NewTimer(within)
			defer timer.Stop()
			late, seen = timer.C, count
		}
		select {
		case <-room:
		case <-late:
			o.mu.Lock()
			count = o.count
			o.mu.Unlock()
			if times++; count == seen || times == patience {
				return errSlow
			}
			seen = count
			timer.Reset(within)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Little is this many messages or bytes, and patience how many times in a row
// too little may be sent.
const (
	littleFrames = 1 << 10
	littleBytes  = 1 << 20
	patience     = 5
)

// little reports whether little waits.
func (o *outbox) little() bool {
	return o.frames <= littleFrames && o.bytes <= min(littleBytes, o.capacity/2)
}

// tell wakes those who wait for room.
func (o *outbox) tell() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// write sends what waits until there is no more, or until a message cannot be
// sent, and then closes the outbox.
func (o *outbox) write() {
	var batch []queued
	for {
		o.mu.Lock()
		if o.err != nil || len(o.waiting) == 0 {
			o.writing = false
			o.mu.Unlock()
			return
		}
		clear(batch)
		batch, o.waiting = o.waiting, batch[:0]
		o.mu.Unlock()
		for _, m := range batch {
			if err := o.send(m); err != nil {
				o.close(err)
				break
			}
			o.sent(len(m.text))
		}
	}
}

// sent makes the room of a message free.
func (o *outbox) sent(size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count++
	o.frames--
	o.bytes -= size
	if o.little() {
		o.tell()
	}
}

// close drops what waits. Nothing can be put in any more.
func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.waiting = nil
	o.tell()
}
