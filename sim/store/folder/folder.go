// Package folder keeps objects as files in one directory, for the stores that this
// program runs itself.
//
// A file gets the name of its object when all of its bytes are there, by renaming;
// until then it has a name that no object can have. Nothing outside of the
// directory can be reached, whatever an object is called: files are opened through
// an [os.Root]. Nothing is forced to disk, since a run's objects need not outlive
// its machine: what is measured is the way to a file and back, and not the disk's.
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"flowbench/flows"
	"flowbench/sim/store"
)

// A Folder is a directory of objects. Its methods may be called concurrently.
type Folder struct {
	root  *os.Root
	place store.Place
	room  *store.Room
	parts atomic.Int64 // that were begun
}

// Open returns the folder of the objects of a place in a directory that exists. It
// takes up to bytes bytes.
func Open(dir string, place store.Place, bytes int64) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", relative(err))
	}
	return &Folder{root: root, place: place, room: store.NewRoom(bytes)}, nil
}

// partial begins the names of files that are not yet objects.
const partial = ".part-"

// Write makes an object of the next size bytes of body. If it fails there is none.
// An error of body comes back with the class that it has.
func (f *Folder) Write(object string, size int64, body io.Reader) error {
	if err := f.check(object); err != nil {
		return err
	}
	if err := f.room.Take(size); err != nil {
		return err
	}
	if err := f.write(object, size, body); err != nil {
		f.room.Give(size)
		return err
	}
	return nil
}

func (f *Folder) write(object string, size int64, body io.Reader) (err error) {
	part := partial + strconv.FormatInt(f.parts.Add(1), 10)
	file, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return failed("create", err)
	}
	defer func() {
		if err != nil {
			_ = f.root.Remove(part) // the error that counts is the one at hand
		}
	}()
	n, err := io.Copy(file, io.LimitReader(body, size))
	if err == nil && n < size {
		err = flows.Fail(flows.Disconnected, fmt.Errorf("the object ends after %d of %d bytes: %w", n, size,
			io.ErrUnexpectedEOF))
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return failed("write", err)
	}
	if _, err := f.root.Lstat(object); err == nil {
		return flows.Fail(flows.Internal, fmt.Errorf("write %s: it is there already", object))
	}
	if err := f.root.Rename(part, object); err != nil {
		return failed("rename", err)
	}
	return nil
}

// Open opens an object for reading and says how large it is.
func (f *Folder) Open(object string) (file *os.File, size int64, err error) {
	if err := f.check(object); err != nil {
		return nil, 0, err
	}
	file, err = f.root.Open(object)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, store.NoObject(object)
	}
	if err != nil {
		return nil, 0, failed("open", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // the error that counts is the one at hand
		return nil, 0, failed("look at", err)
	}
	return file, info.Size(), nil
}

// Delete removes an object, if it is there. Who has it open can read it to its end.
func (f *Folder) Delete(object string) error {
	if err := f.check(object); err != nil {
		return err
	}
	info, err := f.root.Lstat(object)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed("look at", err)
	}
	switch err := f.root.Remove(object); {
	case errors.Is(err, fs.ErrNotExist): // somebody else was faster, and has given the room back
		return nil
	case err != nil:
		return failed("delete", err)
	}
	f.room.Give(info.Size())
	return nil
}

// Close deletes all objects, and what is left of those that were never whole.
// Nobody may write any more.
func (f *Folder) Close() error {
	names, err := fs.Glob(f.root.FS(), "*")
	if err != nil {
		err = failed("list", err)
	}
	errs := []error{err}
	for _, name := range names {
		if !f.place.Has(name) && !strings.HasPrefix(name, partial) {
			continue // nothing of ours
		}
		if err := f.root.Remove(name); err != nil {
			errs = append(errs, failed("delete", err))
		}
	}
	return errors.Join(append(errs, f.root.Close())...)
}

// check refuses what is no object of the place.
func (f *Folder) check(object string) error {
	if !f.place.Has(object) {
		return flows.Fail(flows.Rejected, flows.ErrForeign)
	}
	return nil
}

// failed returns an error of the file system with its class. An error that has one
// is somebody else's.
func failed(what string, err error) error {
	if outcome, _ := flows.OutcomeOf(err); outcome == flows.Failed || errors.Is(err, flows.ErrUnknown) {
		return err
	}
	class := flows.Internal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
		class = flows.Overloaded
	}
	return flows.Fail(class, fmt.Errorf("%s the object's file: %w", what, relative(err)))
}

// relative returns an error of the file system without the path, which is about
// this machine and of no use to those who read results.
func relative(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
