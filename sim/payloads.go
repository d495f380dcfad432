package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

// StoreSource says where a store is that this program does not start itself.
type StoreSource struct {
	URL         string
	Credentials store.Credentials
}

// maxStored bounds what the objects of one cell take in a store that this program
// runs itself.
const maxStored = 2 << 30

// carriage says how the payloads of a cell travel.
func (w *world) carriage() flows.Carriage {
	c := w.cell.Carriage
	return flows.Carriage{
		Mode: flows.Mode(w.cell.Payload), Over: c.InlineUpTo, MaxBytes: w.cell.LargestPayload(),
		Expiry: time.Duration(c.Expiry), Stall: time.Duration(c.Stall), Abandon: time.Duration(c.Abandon),
		ChunkBytes: c.ChunkBytes - flows.ChunkHead, Window: c.Window, Buffer: c.BufferBytes,
		Tell: func(e flows.Carrying) {
			if rec := w.recorder.Load(); rec != nil {
				rec.Carried(string(e.Event), e.Bytes)
			}
		},
	}
}

// storeOf returns the driver of the store of a name.
func (r realm) storeOf(name string) (*store.Driver, error) {
	for i := range r.stores {
		if r.stores[i].Name == name {
			return &r.stores[i], nil
		}
	}
	return nil, fmt.Errorf("open cell: no store is named %q", name)
}

// openStore opens the store that payloads of the cell travel over, if they do.
func (w *world) openStore(ctx context.Context) (flows.Store, error) {
	if w.cell.Store == "" {
		return nil, nil
	}
	d, err := w.storeOf(w.cell.Store)
	if err != nil {
		return nil, err
	}
	w.storeDir, err = os.MkdirTemp(w.engine.TempDir, "flowbench-store-")
	if err != nil {
		return nil, fmt.Errorf("make directory of store %s: %w", d.Name, err)
	}
	source := w.engine.StoreSources[d.Name]
	session, err := d.Open(ctx, store.Config{
		URL: source.URL, Credentials: source.Credentials, Prefix: "fb-" + w.engine.RunID + "-" + w.cell.ID,
		Dir: w.storeDir, MaxBytes: maxStored, Dial: w.engine.Dial, Route: w.storeRoute(), Meter: &w.storeMeter,
		Log: w.engine.Log.With("cell", w.cell.ID),
	})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", d.Name, err)
	}
	w.stored = store.Afflictable(session, w.runtime, w.cell.SeedFor("store"))
	return w.stored, nil
}

// storeRoute returns what the connections to the store go through.
func (w *world) storeRoute() wire.Route {
	if w.paths == nil {
		return nil
	}
	return w.paths.toStore
}

// closeStore closes the store and removes what it kept on disk.
func (w *world) closeStore(ctx context.Context) error {
	var errs []error
	if w.stored != nil {
		if err := w.stored.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close store: %w", err))
		}
	}
	if w.storeDir != "" {
		if err := os.RemoveAll(w.storeDir); err != nil {
			errs = append(errs, fmt.Errorf("remove directory of the store: %w", err))
		}
	}
	return errors.Join(errs...)
}

// describePayloads says how payloads travel, where somebody looks at that.
func (w *world) describePayloads(r *results.Cell) {
	if !w.cell.PayloadTimes {
		return
	}
	r.Payloads = &results.Payloads{Mode: w.cell.Payload, Store: w.cell.Store, Bytes: w.cell.Load.PayloadBytes}
	c := w.cell.Carriage
	switch flows.Mode(w.cell.Payload) {
	case flows.Reference:
		r.Payloads.Endpoint = w.stored.Endpoint()
		place := r.Payloads.Endpoint
		if w.engine.StoreSources[w.cell.Store].URL == "" {
			place = "of the run's own" // its port or directory is another in each cell, and no setting
		}
		r.Settings["store"] = fmt.Sprintf("%s; objects are kept for %v, and waited for as long as something comes "+
			"within %v", place, c.Expiry, c.Abandon)
	case flows.Stream:
		r.Settings["stream"] = fmt.Sprintf("chunks in messages of %d bytes, %d on their way at once, at most %d bytes "+
			"held; asks again after %v, gives up after %v", c.ChunkBytes, c.Window, c.BufferBytes, c.Stall, c.Abandon)
	}
}

// checkStores opens and closes every store of the plan, so that a run begins only
// if all of them are there and take the credentials.
func (e *Engine) checkStores(ctx context.Context, p *scenarios.Plan) error {
	seen := make(map[string]bool)
	for _, c := range p.Cells {
		if c.Store == "" || seen[c.Store] {
			continue
		}
		seen[c.Store] = true
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		wall := NewWall()
		w := &world{engine: e, cell: c, realm: realm{runtime: wall, stores: e.Stores}}
		_, err := w.openStore(ctx)
		err = errors.Join(err, w.closeStore(ctx))
		wall.Close()
		cancel()
		if err != nil {
			return &EnvironmentError{err}
		}
	}
	return nil
}
