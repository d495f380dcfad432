package sim

import (
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/sim/service"
)

// An assignment is what an operation is to do.
type assignment struct {
	id       uint64
	kind     flows.Kind
	key      int
	body     []byte // nil for a query
	patience time.Duration

	bulk    bool // the payload is a large one
	beside  bool // it is not, and a large one is under way
	instead bool // it was to be, and another one is under way
}

// assign decides what operation id does, and makes its payload. Whoever is given a
// large one has to reset d.bulk when the operation has ended.
func (d *driver) assign(id uint64) assignment {
	kind, key := d.cell.Operation(id)
	a := assignment{id: id, kind: kind, key: key, patience: time.Duration(d.cell.Load.Timeout)}
	size := d.cell.Load.PayloadBytes
	if b := d.cell.Bulk; b != nil {
		large := d.cell.Large(id)
		if large && d.bulk.CompareAndSwap(false, true) {
			a = assignment{
				id: id, kind: flows.Command, key: d.cell.BulkKey(), patience: time.Duration(b.Timeout), bulk: true,
			}
			size = b.Bytes
		} else {
			a.beside, a.instead = large || d.bulk.Load(), large
		}
	}
	if a.kind == flows.Command {
		a.body = service.NewPayload(id, size)
	}
	return a
}

// drop records that an operation was due and that there was no room for it.
func (d *driver) drop(id uint64, client int, due time.Duration) {
	kind, key := d.cell.Operation(id)
	large := d.cell.Large(id)
	if large {
		kind, key = flows.Command, d.cell.BulkKey()
	}
	d.recorder.Outcome(results.Outcome{
		Op: id, Client: client, Kind: results.Kind(kind), Key: uint32(key), Status: results.Dropped, Due: due,
		Bulk: large,
	})
}

// bulkOf returns where the latencies of operations beside large payloads are kept
// apart from the others, and nil for a load that has no large ones.
func (w *world) bulkOf() *results.Bulk {
	b := w.cell.Bulk
	if b == nil {
		return nil
	}
	return results.NewBulk(b.Bytes, b.Every, time.Duration(b.Timeout))
}
