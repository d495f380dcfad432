package s3store

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rclone/gofakes3"

	"flowbench/sim/store"
)

const (
	maxThings = 1 << 20 // objects and uploads, so that empty ones are bounded as well
	copyBytes = 128 << 10
)

// A shelf is what the server inside keeps objects on: one bucket, with the bytes
// in files of a folder and everything else in memory. A part of an upload is a file
// of its own, and stays one: an object is a list of files.
type shelf struct {
	root   *os.Root
	bucket string
	made   time.Time
	room   *store.Room // of all files, and of those that are being written

	mu      sync.Mutex
	files   int64 // that there have been, which numbers them
	objects map[string]*object
	uploads map[gofakes3.UploadID]*upload
}

// An object is finished and does not change.
type object struct {
	pieces []piece
	size   int64
	sum    []byte // what S3 calls the ETag
	meta   map[string]string
	made   time.Time
}

// A piece is a file. Its bytes are there as long as somebody holds it.
type piece struct {
	name string
	size int64
	sum  []byte
}

type upload struct {
	meta  map[string]string
	parts map[int]piece
}

func newShelf(root *os.Root, bucket string, maxBytes int64) *shelf {
	return &shelf{
		root: root, bucket: bucket, made: time.Now(), room: store.NewRoom(maxBytes),
		objects: make(map[string]*object), uploads: make(map[gofakes3.UploadID]*upload),
	}
}

// errFull is what the server says when there is no room: not now.
const errFull = gofakes3.ErrSlowDown

// reserve takes room for a file and returns the file's name.
func (s *shelf) reserve(size int64) (name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case size < 0:
		return "", gofakes3.ErrMissingContentLength
	case len(s.objects)+len(s.uploads) >= maxThings || s.room.Take(size) != nil:
		return "", errFull
	}
	s.files++
	return fmt.Sprintf("s3-%d", s.files), nil
}

// write makes a file of exactly size bytes. They are not forced to disk: what is
// in the process's own store goes away with it.
func (s *shelf) write(r io.Reader, size int64) (piece, error) {
	name, err := s.reserve(size)
	if err != nil {
		return piece{}, err
	}
	p := piece{name: name, size: size}
	if p.sum, err = s.fill(name, r, size); err != nil {
		s.drop(p)
		return piece{}, err
	}
	return p, nil
}

func (s *shelf) fill(name string, r io.Reader, size int64) (sum []byte, err error) {
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	h := md5.New() // the ETag; nobody's safety depends on it
	n, err := copyTo(f, h, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if n != size {
		return nil, gofakes3.ErrIncompleteBody
	}
	return h.Sum(nil), nil
}

// copyTo reads r to its end into a file and a hash.
func copyTo(f *os.File, sum hash.Hash, r io.Reader) (n int64, err error) {
	buf := make([]byte, copyBytes)
	for {
		m, err := io.ReadFull(r, buf)
		n += int64(m)
		_, _ = sum.Write(buf[:m]) // hashes take everything
		if _, err := f.Write(buf[:m]); err != nil {
			return n, err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// drop removes files and gives their room back. A file that somebody reads goes
// away when that has ended.
func (s *shelf) drop(pieces ...piece) {
	for _, p := range pieces {
		_ = s.root.Remove(p.name) // the folder goes away, and it with it
		s.room.Give(p.size)
	}
}

// clear removes everything.
func (s *shelf) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	remove := func(p piece) { errs = append(errs, s.root.Remove(p.name)) }
	for _, o := range s.objects {
		for _, p := range o.pieces {
			remove(p)
		}
	}
	for _, u := range s.uploads {
		for _, p := range u.parts {
			remove(p)
		}
	}
	clear(s.objects)
	clear(s.uploads)
	return errors.Join(errs...)
}

// put makes an object visible, in place of one that had its key.
func (s *shelf) put(key string, o *object) {
	o.made = time.Now()
	s.mu.Lock()
	before := s.objects[key]
	s.objects[key] = o
	s.mu.Unlock()
	if before != nil {
		s.drop(before.pieces...)
	}
}

func (s *shelf) find(bucket, key string) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bucket != s.bucket {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	o := s.objects[key]
	if o == nil {
		return nil, gofakes3.KeyNotFound(key)
	}
	return o, nil
}

// PutObject implements [gofakes3.Backend].
func (s *shelf) PutObject(
	_ context.Context, bucket, key string, meta map[string]string, r io.Reader, size int64,
) (gofakes3.PutObjectResult, error) {
	if bucket != s.bucket {
		return gofakes3.PutObjectResult{}, gofakes3.BucketNotFound(bucket)
	}
	p, err := s.write(r, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	s.put(key, &object{pieces: []piece{p}, size: size, sum: p.sum, meta: meta})
	return gofakes3.PutObjectResult{}, nil
}

// GetObject implements [gofakes3.Backend].
func (s *shelf) GetObject(
	_ context.Context, bucket, key string, asked *gofakes3.ObjectRangeRequest,
) (*gofakes3.Object, error) {
	o, err := s.find(bucket, key)
	if err != nil {
		return nil, err
	}
	part, err := asked.Range(o.size)
	if err != nil {
		return nil, err
	}
	from, n := int64(0), o.size
	if part != nil {
		from, n = part.Start, part.Length
	}
	content, err := s.read(o, from, n)
	if errors.Is(err, os.ErrNotExist) { // it was deleted meanwhile
		return nil, gofakes3.KeyNotFound(key)
	}
	if err != nil {
		return nil, err
	}
	described := o.described(key)
	described.Contents, described.Range = content, part
	return described, nil
}

// HeadObject implements [gofakes3.Backend].
func (s *shelf) HeadObject(_ context.Context, bucket, key string) (*gofakes3.Object, error) {
	o, err := s.find(bucket, key)
	if err != nil {
		return nil, err
	}
	return o.described(key), nil
}

func (o *object) described(key string) *gofakes3.Object {
	meta := maps.Clone(o.meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	meta["Last-Modified"] = o.made.UTC().Format(http.TimeFormat)
	sizes := make([]int64, len(o.pieces))
	for i, p := range o.pieces {
		sizes[i] = p.size
	}
	return &gofakes3.Object{
		Name: key, Metadata: meta, Size: o.size, Hash: o.sum, PartSizes: sizes, Contents: http.NoBody,
	}
}

// DeleteObject implements [gofakes3.Backend].
func (s *shelf) DeleteObject(_ context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	if bucket != s.bucket {
		return gofakes3.ObjectDeleteResult{}, gofakes3.BucketNotFound(bucket)
	}
	s.mu.Lock()
	o := s.objects[key]
	delete(s.objects, key)
	s.mu.Unlock()
	if o != nil {
		s.drop(o.pieces...)
	}
	return gofakes3.ObjectDeleteResult{}, nil
}

// DeleteMulti implements [gofakes3.Backend].
func (s *shelf) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var all gofakes3.MultiDeleteResult
	for _, key := range keys {
		if _, err := s.DeleteObject(ctx, bucket, key); err != nil {
			return all, err
		}
		all.Deleted = append(all.Deleted, gofakes3.ObjectID{Key: key})
	}
	return all, nil
}

// CopyObject implements [gofakes3.Backend]: nobody here copies.
func (s *shelf) CopyObject(
	context.Context, string, string, string, string, map[string]string,
) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, gofakes3.ErrNotImplemented
}

// ListBuckets implements [gofakes3.Backend].
func (s *shelf) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	return []gofakes3.BucketInfo{{Name: s.bucket, CreationDate: gofakes3.NewContentTime(s.made)}}, nil
}

// BucketExists implements [gofakes3.Backend].
func (s *shelf) BucketExists(_ context.Context, name string) (bool, error) {
	return name == s.bucket, nil
}

// CreateBucket implements [gofakes3.Backend]: there is one, and no other.
func (s *shelf) CreateBucket(_ context.Context, name string) error {
	if name == s.bucket {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	return gofakes3.ErrTooManyBuckets
}

// DeleteBucket implements [gofakes3.Backend].
func (s *shelf) DeleteBucket(context.Context, string) error { return gofakes3.ErrMethodNotAllowed }

// ListBucket implements [gofakes3.Backend].
func (s *shelf) ListBucket(
	_ context.Context, bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
) (*gofakes3.ObjectList, error) {
	if bucket != s.bucket {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list, last := gofakes3.NewObjectList(), ""
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		var match gofakes3.PrefixMatch
		if key <= page.Marker || !prefix.Match(key, &match) || match.CommonPrefix && match.MatchedPart == last {
			continue
		}
		if n := int64(len(list.Contents) + len(list.CommonPrefixes)); page.MaxKeys > 0 && n >= page.MaxKeys {
			list.IsTruncated = true
			break
		}
		list.NextMarker = key
		if match.CommonPrefix {
			last = match.MatchedPart
			list.AddPrefix(last)
			continue
		}
		o := s.objects[key]
		list.Add(&gofakes3.Content{
			Key: key, LastModified: gofakes3.NewContentTime(o.made), ETag: quoted(o.sum), Size: o.size,
		})
	}
	return list, nil
}

// CreateMultipartUpload implements [gofakes3.MultipartBackend].
func (s *shelf) CreateMultipartUpload(
	_ context.Context, _, _ string, meta map[string]string,
) (gofakes3.UploadID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.objects)+len(s.uploads) >= maxThings {
		return "", errFull
	}
	id := gofakes3.UploadID(rand.Text())
	s.uploads[id] = &upload{meta: meta, parts: make(map[int]piece)}
	return id, nil
}

// UploadPart implements [gofakes3.MultipartBackend].
func (s *shelf) UploadPart(
	_ context.Context, _, _ string, id gofakes3.UploadID, number int, size int64, r io.Reader,
) (string, error) {
	p, err := s.write(r, size)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	u := s.uploads[id]
	var before piece
	var again bool
	if u != nil {
		before, again = u.parts[number]
		u.parts[number] = p
	}
	s.mu.Unlock()
	if u == nil { // it was aborted meanwhile
		s.drop(p)
		return "", gofakes3.ErrNoSuchUpload
	}
	if again {
		s.drop(before)
	}
	return quoted(p.sum), nil
}

func quoted(sum []byte) string { return `"` + hex.EncodeToString(sum) + `"` }

// CompleteMultipartUpload implements [gofakes3.MultipartBackend].
func (s *shelf) CompleteMultipartUpload(
	_ context.Context, _, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest,
) (gofakes3.VersionID, string, error) {
	s.mu.Lock()
	u := s.uploads[id]
	if u == nil {
		s.mu.Unlock()
		return "", "", gofakes3.ErrNoSuchUpload
	}
	o, err := u.object(in)
	if err != nil {
		s.mu.Unlock()
		return "", "", err
	}
	delete(s.uploads, id)
	s.mu.Unlock()
	s.drop(slices.Collect(maps.Values(u.parts))...) // those that were not asked for
	s.put(key, o)
	return "", quoted(o.sum), nil
}

// object takes the parts that are asked for out of an upload.
func (u *upload) object(in *gofakes3.CompleteMultipartUploadRequest) (*object, error) {
	if len(in.Parts) == 0 {
		return nil, gofakes3.ErrMalformedXML
	}
	inOrder := func(a, b gofakes3.CompletedPart) int { return cmp.Compare(a.PartNumber, b.PartNumber) }
	if !slices.IsSortedFunc(in.Parts, inOrder) {
		return nil, gofakes3.ErrInvalidPartOrder
	}
	o, sum := &object{meta: u.meta}, md5.New()
	for i, part := range in.Parts {
		p, there := u.parts[part.PartNumber]
		if !there || unquoted(part.ETag) != hex.EncodeToString(p.sum) ||
			i > 0 && part.PartNumber == in.Parts[i-1].PartNumber {
			return nil, gofakes3.ErrInvalidPart
		}
		o.pieces = append(o.pieces, p)
		o.size += p.size
		_, _ = sum.Write(p.sum) // hashes take everything
	}
	for _, part := range in.Parts {
		delete(u.parts, part.PartNumber)
	}
	o.sum = sum.Sum(nil)
	return o, nil
}

func unquoted(etag string) string {
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// AbortMultipartUpload implements [gofakes3.MultipartBackend].
func (s *shelf) AbortMultipartUpload(_ context.Context, _, _ string, id gofakes3.UploadID) error {
	s.mu.Lock()
	u := s.uploads[id]
	delete(s.uploads, id)
	s.mu.Unlock()
	if u != nil {
		s.drop(slices.Collect(maps.Values(u.parts))...)
	}
	return nil
}
