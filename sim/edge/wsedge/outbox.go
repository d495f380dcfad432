package wsedge

import (
	"errors"
	"sync"
)

// An outbox is what waits to be sent over one socket. There is at most one
// writer at any time: whoever puts in a message while there is none becomes it,
// and sends until the outbox is empty. So a message most often leaves by the
// hand that wrote it, without waking another.
type outbox struct {
	send     func(message []byte) error
	capacity int // bytes that may wait

	mu      sync.Mutex
	waiting [][]byte
	bytes   int
	writing bool
	err     error // once nothing is sent any more
}

// maxWaiting is how many messages may wait, whatever their size.
const maxWaiting = 1 << 14

var errSlow = errors.New("too much waits to be sent")

// put queues a message. It reports whether the caller is the writer now and must
// call write; the error says that the outbox is full, which is errSlow, or closed.
func (o *outbox) put(message []byte) (writer bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false, o.err
	}
	// A message that finds nothing before it is sent whatever its size.
	if len(o.waiting) >= maxWaiting || o.bytes > 0 && o.bytes+len(message) > o.capacity {
		return false, errSlow
	}
	o.waiting = append(o.waiting, message)
	o.bytes += len(message)
	writer = !o.writing
	o.writing = true
	return writer, nil
}

// write sends what waits until there is no more, or until a message cannot be
// sent, and then closes the outbox.
func (o *outbox) write() {
	var batch [][]byte
	for {
		o.mu.Lock()
		for _, m := range batch {
			o.bytes -= len(m)
		}
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
		}
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
}
