package natsstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/store"
)

const (
	// piecesAhead is how many messages a reader asks for before it has use for them,
	// and half of that for how many at once.
	piecesAhead = 16
	// forgetAfter is when the server forgets a reader of which it does not hear.
	forgetAfter = time.Minute
	// askAfter is when a reader asks whether what it waits for is there at all.
	askAfter = 2 * time.Second
)

// Get implements [flows.Objects].
func (p *party) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	object, err := p.session.place.Find(uri)
	if err != nil {
		return nil, fmt.Errorf("get from bucket: %w", err)
	}
	l, err := p.connected(ctx)
	if err != nil {
		return nil, fmt.Errorf("get from bucket: %w", err)
	}
	limited, cancel := during(ctx, l)
	r := &reader{party: p, line: l, ctx: ctx, during: limited, cancel: cancel}
	var bytes int64
	err = p.run(ctx, l, func() {}, func() (err error) {
		bytes, err = r.open(limited, object, part)
		if ctx.Err() != nil || err != nil {
			_ = r.Close() // which has nothing to say
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get from bucket: %w", err)
	}
	p.session.cfg.Meter.Gets.Add(1)
	return store.NewReader(ctx, r, bytes), nil
}

// A reader is a number of messages that are under way.
type reader struct {
	party    *party
	line     *line
	ctx      context.Context // that Get was given
	during   context.Context // that, as long as the connection is there
	cancel   context.CancelFunc
	inbox    string
	messages *nats.Subscription // of the inbox; nil if there is nothing to be read
	consumer jetstream.Consumer // the same
	closing  sync.Once

	piece  []byte // what is left of the present message
	pieces uint64 // messages that are wanted
	asked  uint64 // of them, and came
	count  uint64
	skip   int64 // bytes before those that are wanted
	left   int64
	hash   hash.Hash // of everything up to the end, if that is read
	want   []byte
}

// open finds an object and has its messages come. It returns how many bytes of it
// are wanted.
func (r *reader) open(ctx context.Context, object string, part flows.Span) (int64, error) {
	bucket := r.party.session.bucket()
	objects, err := r.line.bucket(ctx, bucket)
	if err != nil {
		return 0, err
	}
	info, err := objects.GetInfo(ctx, object)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return 0, store.NoObject(object)
	}
	if err != nil {
		return 0, err
	}
	from, n := store.Cut(part, int64(info.Size))
	if r.skip, r.left = from, n; n == 0 {
		return 0, nil
	}
	if from+n == int64(info.Size) { // then all of it is read
		if r.want, err = jetstream.DecodeObjectDigest(info.Digest); err != nil {
			return 0, flows.Fail(flows.Corrupt, errors.New("the object has no hash"))
		}
		r.hash = sha256.New()
	}
	r.pieces, r.inbox = uint64(info.Chunks), r.line.nc.NewInbox()
	if o := info.Opts; o != nil && o.ChunkSize > 0 { // what Put has filled, all but the last
		r.pieces = min(r.pieces, uint64((from+n-1)/int64(o.ChunkSize)+1))
	}
	if r.messages, err = r.line.nc.SubscribeSync(r.inbox); err != nil {
		return 0, err
	}
	r.consumer, err = r.line.js.CreateConsumer(ctx, streamOf(bucket), jetstream.ConsumerConfig{
		FilterSubject: "$O." + bucket + ".C." + info.NUID, AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: forgetAfter, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return 0, err
	}
	return n, r.ask()
}

// ask asks for some more messages, if there are more and not enough on their way.
func (r *reader) ask() error {
	const some = piecesAhead / 2
	for r.asked < r.pieces && r.asked-r.count <= some {
		n := min(some, r.pieces-r.asked)
		info := r.consumer.CachedInfo()
		err := r.line.nc.PublishRequest(apiPrefix+"MSG.NEXT."+info.Stream+"."+info.Name, r.inbox,
			fmt.Appendf(nil, `{"batch":%d}`, n))
		if err != nil {
			return err
		}
		r.asked += n
	}
	return nil
}

// apiPrefix begins the subjects of what consumers are asked for.
const apiPrefix = "$JS.API.CONSUMER."

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	for r.left > 0 && len(r.piece) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.piece)
	r.piece = r.piece[n:]
	r.left -= int64(n)
	if r.left > 0 || r.hash == nil {
		return n, nil
	}
	if !bytes.Equal(r.hash.Sum(nil), r.want) {
		return n, flows.Fail(flows.Corrupt, errors.New("the object's bytes do not have its hash"))
	}
	return n, nil
}

// next waits for a message. Their numbers have no gaps.
func (r *reader) next() error {
	m, err := r.await()
	if err != nil {
		return r.party.failed(r.ctx, r.line, err)
	}
	meta, err := m.Metadata()
	if err != nil || meta.Sequence.Consumer != r.count+1 { // without, it is a word of the server's
		return flows.Fail(flows.Disconnected, errors.New("a message of the object got lost on its way"))
	}
	r.count++
	if err := r.ask(); err != nil {
		return r.party.failed(r.ctx, r.line, err)
	}
	r.piece = m.Data
	if r.hash != nil {
		_, _ = r.hash.Write(r.piece) // it never fails
	}
	skipped := min(r.skip, int64(len(r.piece)))
	r.piece, r.skip = r.piece[skipped:], r.skip-skipped
	return nil
}

// await waits for a message as long as there is one that can come: nothing tells a
// reader that the object is deleted.
func (r *reader) await() (*nats.Msg, error) {
	if r.count == r.pieces {
		return nil, flows.Fail(flows.Corrupt, errors.New("the object's messages have fewer bytes than it"))
	}
	for {
		limited, cancel := context.WithTimeout(r.during, askAfter)
		m, err := r.messages.NextMsgWithContext(limited)
		ended := limited.Err() != nil
		cancel()
		if err == nil || !ended || r.during.Err() != nil {
			return m, err
		}
		info, err := r.consumer.Info(r.during)
		if err != nil {
			return nil, err
		}
		if info.NumPending == 0 && info.Delivered.Consumer == r.count {
			err := fmt.Errorf("the object was deleted while it was read: %w", flows.ErrNoObject)
			return nil, flows.Fail(flows.Rejected, err)
		}
	}
}

// Close implements [io.Closer]. The server is told that nobody reads any more; if
// it does not hear that, it forgets the reader after a while.
func (r *reader) Close() error {
	r.closing.Do(func() {
		r.cancel()
		if r.messages == nil {
			return
		}
		done := make(chan struct{})
		if !r.party.begin(func() {
			defer close(done)
			_ = r.messages.Unsubscribe() // on a connection that is gone there is nothing to end
			if r.consumer == nil {
				return
			}
			ctx, cancel := context.WithTimeout(r.line.life, cleanPatience)
			defer cancel()
			info := r.consumer.CachedInfo()
			_ = r.line.js.DeleteConsumer(ctx, info.Stream, info.Name) // see above
		}) {
			return
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	})
	return nil
}
