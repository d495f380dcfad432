package s3store

import (
	"errors"
	"io"
	"os"
)

// A slice is a part of an object that is being read: of one file after another. It
// writes itself, out of the files right into the connection where the system can.
type slice struct {
	files []*os.File
	parts []io.Reader // what of each file belongs to it
	all   io.Reader
}

// read opens n bytes of an object, from one on. All files are open at once, so
// that none can go away while it is read.
func (s *shelf) read(o *object, from, n int64) (io.ReadCloser, error) {
	var sl slice
	for _, p := range o.pieces {
		skip := min(from, p.size)
		take := min(p.size-skip, n)
		from, n = from-skip, n-take
		if take == 0 {
			continue
		}
		f, err := s.root.Open(p.name)
		if err != nil {
			return nil, errors.Join(err, sl.Close())
		}
		sl.files = append(sl.files, f)
		if _, err := f.Seek(skip, io.SeekStart); err != nil {
			return nil, errors.Join(err, sl.Close())
		}
		sl.parts = append(sl.parts, io.LimitReader(f, take))
	}
	sl.all = io.MultiReader(sl.parts...)
	return &sl, nil
}

func (sl *slice) Read(p []byte) (int, error) { return sl.all.Read(p) }

// WriteTo implements [io.WriterTo].
func (sl *slice) WriteTo(w io.Writer) (n int64, err error) {
	for _, part := range sl.parts {
		m, err := io.Copy(w, part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (sl *slice) Close() error {
	var errs []error
	for _, f := range sl.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
