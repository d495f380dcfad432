package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"flowbench/flows"
)

// A Room is what a store of this program's may keep. Its methods may be called
// concurrently.
type Room struct {
	bytes int64
	taken atomic.Int64
}

// NewRoom returns room for bytes bytes.
func NewRoom(bytes int64) *Room { return &Room{bytes: bytes} }

// Take takes room for an object, or says that there is none.
func (r *Room) Take(bytes int64) error {
	if bytes < 0 {
		return flows.Fail(flows.Internal, fmt.Errorf("an object of %d bytes", bytes))
	}
	full := flows.Fail(flows.Overloaded, fmt.Errorf("the store is full: it keeps %d bytes in all", r.bytes))
	if bytes > r.bytes { // what is added below cannot overflow
		return full
	}
	if r.taken.Add(bytes) > r.bytes {
		r.taken.Add(-bytes)
		return full
	}
	return nil
}

// Give gives room back.
func (r *Room) Give(bytes int64) { r.taken.Add(-bytes) }

// An Inventory is what a session has put and not deleted, so that it can be
// deleted at the end. Its methods may be called concurrently; the zero value is
// empty.
type Inventory struct {
	mu      sync.Mutex
	objects map[string]bool
}

// Add is called before an object is put: also what a Put has left behind that
// failed is there to be deleted.
func (i *Inventory) Add(object string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.objects == nil {
		i.objects = make(map[string]bool)
	}
	i.objects[object] = true
}

// Remove is called when an object has been deleted.
func (i *Inventory) Remove(object string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.objects, object)
}

// Objects returns what is left, sorted.
func (i *Inventory) Objects() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]string, 0, len(i.objects))
	for object := range i.objects {
		all = append(all, object)
	}
	slices.Sort(all)
	return all
}

// deletions is how many deletes of an inventory's objects go on at once.
const deletions = 8

// DeleteAll deletes what is left by calling remove for each object, several at a
// time, and returns what could not be deleted. What remains is in the inventory
// still. Objects that are not there must be no error to remove.
func (i *Inventory) DeleteAll(ctx context.Context, remove func(ctx context.Context, object string) error) error {
	objects := i.Objects()
	errs := make([]error, len(objects))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(deletions, len(objects)) {
		wg.Go(func() {
			for at := next.Add(1) - 1; at < int64(len(objects)); at = next.Add(1) - 1 {
				if errs[at] = Done(ctx); errs[at] == nil {
					errs[at] = remove(ctx, objects[at])
				}
				if errs[at] == nil {
					i.Remove(objects[at])
				}
			}
		})
	}
	wg.Wait()
	left := 0
	var first error
	for at, err := range errs {
		if err == nil {
			continue
		}
		if left++; left == 1 {
			first = fmt.Errorf("delete %s: %w", objects[at], err)
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d objects are left: %w", left, len(objects), first)
	}
	return nil
}
