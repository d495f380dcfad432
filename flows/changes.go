package flows

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// A change is a new value of a key, on its way from the service to those who
// watch the key.
type change struct {
	op      uint64 // the command that made it; 0 for what is there when a watch begins
	version uint64 // of the key
	value   []byte
}

// changeHead is how many bytes of a message's body come before the value.
const changeHead = 8

// bytes returns c as the body of a message. The operation is in the message
// itself.
func (c change) bytes() []byte {
	b := make([]byte, 0, changeHead+len(c.value))
	return append(binary.BigEndian.AppendUint64(b, c.version), c.value...)
}

// parseChange reads what bytes wrote. The value is part of body.
func parseChange(op uint64, body []byte) (change, error) {
	if len(body) < changeHead {
		return change{}, Unknown(Corrupt, errNoChange)
	}
	return change{op: op, version: binary.BigEndian.Uint64(body), value: body[changeHead:]}, nil
}

// The bounds of a board.
const (
	// MaxWatches is how many live queries one front end has at once, and
	// MaxWatchesOfOne how many one client may open: their socket has more to carry.
	MaxWatches      = 1 << 14
	MaxWatchesOfOne = 1 << 13

	maxHeld   = 256  // changes of one key that wait for an earlier one
	maxQueued = 4096 // changes that wait to be pushed to one watcher
)

var (
	errNoChange    = errors.New("the body of a change has no version")
	errManyWatches = errors.New("too many live queries are open")
	errSlowWatcher = errors.New("too many changes wait for the client")
	errBoardClosed = errors.New("the front end is closing")
)

// A board is where a front end puts up the changes that it hears of, for those
// who watch.
//
// The instances of the service publish independently, so the changes of one key
// may arrive in any order. The board puts them up in that of their versions: one
// that is ahead of its turn is held until those before it are there. A change
// that does not come within the time that clients wait for an operation is passed
// over, and not shown any more should it come later: what watchers see never goes
// back. Nothing is conflated: a watcher sees each change that is put up after the
// value that it began with.
type board struct {
	env Env

	mu     sync.Mutex // never held while waiting
	keys   map[string]*watchedKey
	total  int // of watchers
	closed bool
}

func newBoard(env Env) *board { return &board{env: env, keys: make(map[string]*watchedKey)} }

// A watchedKey is a key that somebody watches.
type watchedKey struct {
	watchers []*watcher        // in the order in which they came, for runs that repeat
	next     uint64            // the version that is put up next; 0 as long as it is not known
	held     map[uint64]change // ahead of their turn
	stuck    time.Duration     // since when they wait for the next
	gap      bool              // somebody waits to pass that over
}

// watch begins to watch a key. What is put up from now on is kept for the
// watcher; [board.begin] says from where on it wants it.
func (b *board) watch(key string) (*watcher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, Fail(Unreachable, errBoardClosed)
	case b.total >= MaxWatches:
		return nil, Fail(Overloaded, errManyWatches)
	}
	k := b.keys[key]
	if k == nil {
		k = &watchedKey{held: make(map[uint64]change)}
		b.keys[key] = k
	}
	w := &watcher{board: b, key: key}
	k.watchers = append(k.watchers, w)
	b.total++
	return w, nil
}

// begin says that w has seen the given version, which it had read after it began
// to watch. ctx is as for [board.put].
func (b *board) begin(ctx context.Context, w *watcher, version uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.seen = version
	w.queue = slices.DeleteFunc(w.queue, func(c change) bool { return c.version <= version })
	if k := b.keys[w.key]; k != nil && k.next == 0 {
		b.advance(k, version+1)
		b.mindGap(ctx, k)
	}
}

// leave ends a watch.
func (b *board) leave(w *watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.keys[w.key]
	i := slices.Index(k.watchers, w)
	k.watchers = slices.Delete(k.watchers, i, i+1)
	b.total--
	if len(k.watchers) == 0 {
		delete(b.keys, w.key)
	}
}

// put takes a change that the front end has heard of. ctx is for waiting for
// those that should have come before it.
func (b *board) put(ctx context.Context, key string, c change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.keys[key]
	if k == nil || k.next > 0 && c.version < k.next {
		return // nobody watches, or it was put up or passed over
	}
	if len(k.held) == 0 {
		k.stuck = b.env.Runtime.Now()
	}
	k.held[c.version] = c
	if k.next == 0 {
		if len(k.held) > maxHeld {
			delete(k.held, k.earliest())
		}
		return
	}
	b.advance(k, k.next)
	if len(k.held) > maxHeld {
		b.advance(k, k.earliest())
	}
	b.mindGap(ctx, k)
}

// mindGap sees to it that somebody waits to pass over what does not come.
func (b *board) mindGap(ctx context.Context, k *watchedKey) {
	if len(k.held) > 0 && !k.gap {
		k.gap = true
		b.env.Runtime.Go(ctx, func(ctx context.Context) { b.awaitGap(ctx, k) })
	}
}

// awaitGap passes over changes that have been waited for long enough, until none
// is held back any more. If ctx ends first, the next change that comes sets
// somebody else to it.
func (b *board) awaitGap(ctx context.Context, k *watchedKey) {
	for {
		b.mu.Lock()
		k.gap = len(k.held) > 0
		again, wait := k.gap, k.stuck+b.env.Settings.Timeout-b.env.Runtime.Now()
		if again && wait <= 0 {
			b.advance(k, k.earliest())
		}
		b.mu.Unlock()
		if !again {
			return
		}
		if wait > 0 && b.env.Runtime.Sleep(ctx, wait) != nil {
			b.mu.Lock()
			k.gap = false
			b.mu.Unlock()
			return
		}
	}
}

// close ends all watches, and lets none begin.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, key := range slices.Sorted(maps.Keys(b.keys)) { // an order, for runs that repeat
		for _, w := range b.keys[key].watchers {
			w.finish(Fail(Unreachable, errBoardClosed))
		}
	}
}

// advance puts up what is held and has its turn, from the given version on, and
// drops what is before that.
func (b *board) advance(k *watchedKey, next uint64) {
	for version := range k.held {
		if version < next {
			delete(k.held, version)
		}
	}
	if next != k.next {
		k.stuck = b.env.Runtime.Now()
	}
	k.next = next
	for {
		c, ok := k.held[k.next]
		if !ok {
			return
		}
		delete(k.held, k.next)
		k.next, k.stuck = k.next+1, b.env.Runtime.Now()
		for _, w := range k.watchers {
			w.push(c)
		}
	}
}

// earliest returns the lowest version that is held.
func (k *watchedKey) earliest() uint64 {
	first := ^uint64(0)
	for version := range k.held {
		first = min(first, version)
	}
	return first
}

// A watcher is one live query at a front end.
type watcher struct {
	board *board
	key   string

	seen   uint64 // version; the board's lock guards this and the rest
	queue  []change
	end    error
	waiter Promise // kept when there is something; nil if nobody waits
}

// push queues a change. Who is too slow to take what is put up is sent away, so
// that it costs the others nothing.
func (w *watcher) push(c change) {
	switch {
	case w.end != nil || c.version <= w.seen:
	case len(w.queue) >= maxQueued:
		w.finish(Fail(Overloaded, errSlowWatcher))
	default:
		w.queue = append(w.queue, c)
		w.wake()
	}
}

func (w *watcher) finish(err error) {
	if w.end == nil {
		w.end, w.queue = err, nil
		w.wake()
	}
}

func (w *watcher) wake() {
	if w.waiter != nil {
		w.waiter.Keep(Message{}, nil)
		w.waiter = nil
	}
}

// next returns the next change, waiting for one if need be.
func (w *watcher) next(ctx context.Context) (change, error) {
	for {
		c, waiter, err := w.take()
		if waiter == nil || err != nil {
			return c, err
		}
		if _, err := waiter.Wait(ctx); err != nil {
			return change{}, awaiting("change", err)
		}
	}
}

// take returns a change, or what to wait with for one, or why there will be none.
func (w *watcher) take() (change, Promise, error) {
	w.board.mu.Lock()
	defer w.board.mu.Unlock()
	switch {
	case w.end != nil:
		return change{}, nil, w.end
	case len(w.queue) > 0:
		c := w.queue[0]
		w.queue[0] = change{}
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
		return c, nil, nil
	}
	w.waiter = w.board.env.Runtime.Promise()
	return change{}, w.waiter, nil
}
