package store

import (
	"context"
	"sync/atomic"

	"flowbench/flows"
)

// A Door is what is left of a party where there are no connections: it is open until
// it is closed. The zero value is open. It may be used concurrently.
type Door struct{ closed atomic.Bool }

// Close implements part of [flows.Objects].
func (d *Door) Close() error {
	d.closed.Store(true)
	return nil
}

// Ready returns why nothing can be asked, if that is so.
func (d *Door) Ready(ctx context.Context) error {
	if d.closed.Load() {
		return flows.ErrClosed
	}
	return Done(ctx)
}
