package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

const (
	// partSize is how large an object may be to go in one request, and how large the
	// parts of others are. It is minio-go's own, and it costs no memory here.
	partSize = 16 << 20
	maxParts = 10_000 // of one upload, in S3

	// patience is how long an upload that has failed may take to be taken back.
	patience = 5 * time.Second
)

// objects is one party's access.
type objects struct {
	session *session
	meter   *store.Meter
	core    minio.Core
	conns   *http.Transport

	ctx    context.Context // done when Close is called
	cancel context.CancelFunc
	mu     sync.Mutex // no abort begins once Close waits for them
	aborts sync.WaitGroup
}

func (s *session) connect(dial wire.Dialer, m *store.Meter) (*objects, error) {
	core, conns, err := s.place.client(dial)
	if err != nil {
		return nil, err
	}
	o := &objects{session: s, meter: m, core: core, conns: conns}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o, nil
}

// begin returns the context of a request and the request's fate. End must be called.
func (o *objects) begin(ctx context.Context) (trying context.Context, t *try, end func()) {
	trying, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(o.ctx, cancel)
	t = &try{cancel: cancel}
	return context.WithValue(trying, tryKey{}, t), t, func() {
		stop()
		cancel()
	}
}

// ready returns why nothing can be asked, if that is so.
func (o *objects) ready(ctx context.Context) error {
	if o.ctx.Err() != nil {
		return flows.ErrClosed
	}
	return store.Done(ctx)
}

// Put implements [flows.Objects].
func (o *objects) Put(ctx context.Context, name string, size int64, r io.Reader) (string, error) {
	key, err := o.session.names.Object(name)
	if err == nil {
		err = o.ready(ctx)
	}
	if err == nil {
		err = o.put(ctx, key, size, r)
	}
	if err != nil {
		return "", fmt.Errorf("put into the bucket %s: %w", o.session.place.bucket, err)
	}
	o.meter.Puts.Add(1)
	return o.session.names.Address(key), nil
}

func (o *objects) put(ctx context.Context, key string, size int64, r io.Reader) (err error) {
	if size < 0 {
		return flows.Fail(flows.Internal, fmt.Errorf("an object of %d bytes", size))
	}
	b := store.NewBody(ctx, r, size)
	o.session.kept.Add(key)
	if size <= partSize {
		err = o.putWhole(ctx, key, b, size)
	} else {
		err = o.putParts(ctx, key, b, size)
	}
	_ = b.Close() // it only ends the reading
	if err != nil && b.Err() != nil {
		return b.Err()
	}
	return err
}

func (o *objects) putWhole(ctx context.Context, key string, b io.Reader, size int64) error {
	trying, t, end := o.begin(ctx)
	defer end()
	hash, opts := "", minio.PutObjectOptions{ContentType: contentType}
	if size == 0 { // no body has no chunks to sign
		hash, opts.DisableContentSha256 = emptyHash, true
	}
	_, err := o.core.PutObject(trying, o.session.place.bucket, key, io.LimitReader(b, size), size, "", hash, opts)
	return o.judged(ctx, t, err)
}

const (
	contentType = "application/octet-stream"
	emptyHash   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// putParts sends an object in parts, one after another: they come out of one
// reader, and holding them would take memory.
func (o *objects) putParts(ctx context.Context, key string, b io.Reader, size int64) (err error) {
	id, err := o.initiate(ctx, key)
	if err != nil {
		return err
	}
	o.session.uploads.Add(key + " " + id)
	defer func() {
		if err == nil {
			o.session.uploads.Remove(key + " " + id)
		} else {
			o.takeBack(key, id)
		}
	}()
	part := max(partSize, (size+maxParts-1)/maxParts)
	var parts []minio.CompletePart
	for sent := int64(0); sent < size; sent += part {
		n := min(part, size-sent)
		sum, err := o.sendPart(ctx, key, id, len(parts)+1, io.LimitReader(b, n), n)
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: len(parts) + 1, ETag: sum})
	}
	trying, t, end := o.begin(ctx)
	defer end()
	_, err = o.core.CompleteMultipartUpload(trying, o.session.place.bucket, key, id, parts, minio.PutObjectOptions{})
	return o.judged(ctx, t, err)
}

func (o *objects) initiate(ctx context.Context, key string) (id string, err error) {
	trying, t, end := o.begin(ctx)
	defer end()
	id, err = o.core.NewMultipartUpload(trying, o.session.place.bucket, key,
		minio.PutObjectOptions{ContentType: contentType})
	return id, o.judged(ctx, t, err)
}

func (o *objects) sendPart(
	ctx context.Context, key, id string, n int, r io.Reader, size int64,
) (sum string, err error) {
	trying, t, end := o.begin(ctx)
	defer end()
	part, err := o.core.PutObjectPart(trying, o.session.place.bucket, key, id, n, r, size,
		minio.PutObjectPartOptions{})
	return part.ETag, o.judged(ctx, t, err)
}

// takeBack removes the parts of an upload that has failed, behind the caller's
// back: its time may be over. What it does not reach, the session's end does.
func (o *objects) takeBack(key, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return
	}
	o.aborts.Go(func() {
		ctx, cancel := context.WithTimeout(o.ctx, patience)
		defer cancel()
		if o.abort(ctx, key, id) == nil {
			o.session.uploads.Remove(key + " " + id)
		}
	})
}

func (o *objects) abort(ctx context.Context, key, id string) error {
	trying, t, end := o.begin(ctx)
	defer end()
	err := o.core.AbortMultipartUpload(trying, o.session.place.bucket, key, id)
	if err = o.judged(ctx, t, err); isNo(err, "NoSuchUpload") {
		return nil
	}
	return err
}

// isNo tells whether an error is a certain answer.
func isNo(err error, code string) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == code
}

// Get implements [flows.Objects].
func (o *objects) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	key, err := o.session.names.Find(uri)
	if err == nil {
		err = o.ready(ctx)
	}
	var r io.ReadCloser
	if err == nil {
		r, err = o.get(ctx, key, part)
	}
	if err != nil {
		return nil, fmt.Errorf("get from the bucket %s: %w", o.session.place.bucket, err)
	}
	o.meter.Gets.Add(1)
	return r, nil
}

func (o *objects) get(ctx context.Context, key string, part flows.Span) (io.ReadCloser, error) {
	var opts minio.GetObjectOptions
	partial, err := ask(&opts, part)
	if err != nil {
		return nil, err
	}
	trying, t, end := o.begin(ctx)
	content, info, header, err := o.core.GetObject(trying, o.session.place.bucket, key, opts)
	if err != nil {
		end()
		if isEmpty(t.err) {
			return store.NewReader(ctx, http.NoBody, 0), nil // the object is there, and ends before the part begins
		}
		return nil, o.judged(ctx, t, err)
	}
	begins := "bytes " + strconv.FormatInt(part.From, 10) + "-"
	tooLong := part.Bytes > 0 && info.Size > part.Bytes
	if partial && (tooLong || !strings.HasPrefix(header.Get("Content-Range"), begins)) {
		_ = content.Close() // nothing of it is wanted
		end()
		return nil, flows.Fail(flows.Corrupt, errors.New("the S3 server sent another part than the one asked for"))
	}
	size := info.Size
	if header.Get("Content-Length") == "" {
		size = -1
	}
	return store.NewReader(ctx, &reader{objects: o, ctx: ctx, try: t, content: content, end: end}, size), nil
}

// ask puts the part into the options of a request, unless it is the whole.
func ask(opts *minio.GetObjectOptions, part flows.Span) (partial bool, err error) {
	last := int64(0) // which is as far as it goes
	switch {
	case part == flows.Span{}:
		return false, nil
	case part.From < 0 || part.Bytes < 0:
		return false, flows.Fail(flows.Internal, fmt.Errorf("there are no %d bytes from %d on", part.Bytes, part.From))
	case part.Bytes > 0:
		if last = part.From + part.Bytes - 1; last < 0 {
			last = 0 // beyond all numbers is beyond all ends
		}
	}
	return true, opts.SetRange(part.From, last)
}

// isEmpty tells whether an answer says that there is no such range.
func isEmpty(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusRequestedRangeNotSatisfiable
}

// A reader is the body of an answer, whose request is under way until Close.
type reader struct {
	objects *objects
	ctx     context.Context
	try     *try
	content io.ReadCloser
	end     func()
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.objects.judged(r.ctx, r.try, err)
	}
	return n, err
}

// Close ends the request. What was not read is lost with its connection.
func (r *reader) Close() error {
	_ = r.content.Close() // it was read or is not wanted, so nothing can be lost
	r.end()
	return nil
}

// Delete implements [flows.Objects].
func (o *objects) Delete(ctx context.Context, uri string) error {
	key, err := o.session.names.Find(uri)
	if err == nil {
		err = o.ready(ctx)
	}
	if err == nil {
		err = o.remove(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("delete from the bucket %s: %w", o.session.place.bucket, err)
	}
	o.meter.Deletes.Add(1)
	return nil
}

func (o *objects) remove(ctx context.Context, key string) error {
	trying, t, end := o.begin(ctx)
	defer end()
	err := o.core.RemoveObject(trying, o.session.place.bucket, key, minio.RemoveObjectOptions{})
	if err = o.judged(ctx, t, err); err != nil && !errors.Is(err, flows.ErrNoObject) {
		return err
	}
	o.session.kept.Remove(key)
	return nil
}

// Close implements [flows.Objects].
func (o *objects) Close() error {
	o.mu.Lock()
	o.cancel()
	o.mu.Unlock()
	o.aborts.Wait()
	o.conns.CloseIdleConnections()
	return nil
}
