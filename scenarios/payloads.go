package scenarios

import (
	"fmt"
	"slices"

	"flowbench/flows"
)

// Payloads says how large payloads are and how they travel: every size in every
// mode, and by reference over every store, is a cell of its own.
type Payloads struct {
	Bytes  []int
	Modes  []string
	Stores []string

	Bulk *Bulk // nil if all payloads of a cell are alike

	Carriage Carriage
}

// Carriage is what is the same for all payloads of a scenario, however they
// travel.
type Carriage struct {
	InlineUpTo  int      `json:"inline_up_to"` // bytes; payloads that are no larger travel inline in any mode
	Expiry      Duration `json:"expiry"`       // by reference: how long what is stored is kept
	ChunkBytes  int      `json:"chunk_bytes"`  // in a stream: of the message of a chunk, heads included
	Window      int      `json:"window"`       // in a stream: chunks on their way at once
	BufferBytes int      `json:"buffer_bytes"` // in streams: what one receiver holds of all of them
	Stall       Duration `json:"stall"`        // without news for so long, either end asks again
	Abandon     Duration `json:"abandon"`      // without news for so long, a payload is given up
}

const (
	maxPayload   = 64 * mebibyte
	manySizes    = 16
	manyModes    = 3
	manyStores   = 8
	maxChunk     = 512 * kibibyte
	framing      = 64 * kibibyte // what a message may have beside its payload
	storesPath   = "payloads.stores"
	modesPath    = "payloads.modes"
	sizesPath    = "payloads.bytes"
	payloadBytes = "load.payload_bytes"
)

func (s *Scenario) payloadSettings() []setting {
	p := &s.Payloads
	c := &p.Carriage
	return []setting{
		{key: "bytes", value: sizes{&p.Bytes, manySizes, 16, maxPayload},
			about: "sizes of a command's payload and of a query's answer, each in cells of its own; " +
				"without it, load.payload_bytes"},
		{key: "modes", value: names{&p.Modes, manyModes, modeNames, string(flows.Inline)},
			about: "inline: in the message itself; reference: its address in a store in its place; " +
				"stream: in chunks over many messages"},
		{key: "stores", value: names{&p.Stores, manyStores, Catalog.storeNames, "s3"},
			about: "the stores that payloads travel over by reference, each in cells of its own"},
		{key: "bulk", value: section{s.bulkSettings},
			about: "a few commands of an otherwise small load have a large payload"},
		{key: "inline_up_to", value: size{&c.InlineUpTo, 16, mebibyte},
			about: "payloads that are no larger travel inline in any mode"},
		{key: "expiry", value: span{&c.Expiry, 100 * millisecond, hour},
			about: "by reference: how long what is stored is kept, if nobody deletes it before"},
		{key: "chunk_bytes", value: size{&c.ChunkBytes, kibibyte, maxChunk},
			about: "in a stream: size of the message of a chunk, with all that stands before its part of the payload"},
		{key: "window", value: whole{&c.Window, 1, 1024},
			about: "in a stream: chunks that are on their way at once"},
		{key: "buffer_bytes", value: size{&c.BufferBytes, 64 * kibibyte, 1024 * mebibyte},
			about: "in streams: what one receiver holds of all of them at most"},
		{key: "stall", value: span{&c.Stall, 10 * millisecond, minute},
			about: "without news of a stream for so long, either end asks again"},
		{key: "abandon", value: span{&c.Abandon, 100 * millisecond, hour},
			about: "without news of a payload for so long, who waits for it gives it up and the command is refused; " +
				"more than stall"},
	}
}

// agreePayloads reports settings of payloads that contradict each other.
func (s *Scenario) agreePayloads(r *reader) {
	p := &s.Payloads
	byReference := slices.Contains(p.Modes, string(flows.Reference))
	switch {
	case !r.sound(modesPath, storesPath):
	case byReference && len(p.Stores) == 0:
		r.add(r.where(modesPath), "payloads travel by reference and %s names no store; want such as [s3]", storesPath)
	case !byReference && len(p.Stores) > 0:
		r.add(r.where(storesPath, modesPath), "%s are named and %s have no reference; want it there, or the "+
			"stores taken out", storesPath, modesPath)
	}
	if r.wrote(sizesPath) && r.wrote(payloadBytes) {
		r.add(r.where(payloadBytes), "%s and %s are both there; want one of them", payloadBytes, sizesPath)
	}
	s.agreeBulk(r)
	c := &p.Carriage
	if r.sound("payloads.stall", "payloads.abandon") && c.Abandon <= c.Stall {
		r.add(r.where("payloads.abandon", "payloads.stall"),
			"payloads.abandon %s is not longer than payloads.stall %s; want more", c.Abandon, c.Stall)
	}
	if r.sound("payloads.buffer_bytes", "payloads.chunk_bytes") && c.BufferBytes < c.ChunkBytes {
		r.add(r.where("payloads.buffer_bytes", "payloads.chunk_bytes"),
			"payloads.buffer_bytes %s hold no chunk of %s; want at least one",
			formatSize(c.BufferBytes), formatSize(c.ChunkBytes))
	}
}

// modeNames returns the names of all modes in which payloads travel, whatever else a
// catalog has.
func modeNames(Catalog) []string {
	var names []string
	for _, m := range flows.Modes() {
		names = append(names, string(m))
	}
	return names
}

// stores looks up the scenario's stores and modes.
func (b *planner) stores() {
	for i, name := range b.s.Payloads.Modes {
		if known := modeNames(b.cat); !slices.Contains(known, name) {
			b.add(b.place(item(modesPath, i)), "there is no mode %s; want %s", quote(name), oneOf(name, known))
		}
	}
	for i, name := range b.s.Payloads.Stores {
		if known := b.cat.storeNames(); !slices.Contains(known, name) {
			b.add(b.place(item(storesPath, i)), "there is no store %s; want %s", quote(name), oneOf(name, known))
		}
	}
}

// A parcel is one way for one size of payload to travel.
type parcel struct {
	mode, store string
	bytes       int
	largest     int    // of those that travel so: bytes, or that of the few large ones
	suffix      string // tells cells with it from those with others
}

// parcels returns the parcels of the scenario: sizes grow within a mode.
func (s *Scenario) parcels() []parcel {
	bytes := s.Payloads.Bytes
	if len(bytes) == 0 {
		bytes = []int{s.Load.PayloadBytes}
	}
	var all []parcel
	for _, mode := range s.Payloads.Modes {
		stores := []string{""}
		if mode == string(flows.Reference) {
			stores = s.Payloads.Stores
		}
		for _, store := range stores {
			for _, n := range bytes {
				p := parcel{mode: mode, store: store, bytes: n, largest: n}
				if bulk := s.Payloads.Bulk; bulk != nil {
					p.largest = max(n, bulk.Bytes)
				}
				if mode != string(flows.Inline) {
					p.suffix = "-" + mode
				}
				if store != "" {
					p.suffix += "-" + store
				}
				if len(bytes) > 1 {
					p.suffix += "-" + formatSize(n)
				}
				all = append(all, p)
			}
		}
	}
	return all
}

// carried adds the cells of one flow on one broker over one edge, one for each
// parcel. What cannot travel so is left out where something else of the scenario
// can, and the plan says why: who asks for all sizes in all modes wants to see
// those that there are.
func (b *planner) carried(f flows.Spec, id string, use brokerUse, edge string) {
	parcels := b.s.parcels()
	for _, p := range parcels {
		why := b.hindrance(f, use, p)
		switch {
		case why == "":
			b.cell(f, id+p.suffix, use, edge, p)
		case len(parcels) > 1:
			b.left = append(b.left, slug(id+p.suffix)+": "+why)
		default:
			at := modesPath
			if p.mode == string(flows.Inline) {
				at = payloadBytes
			}
			if p.largest > p.bytes {
				at = bulkBytes
			}
			b.add(b.place(at), "%s", why)
		}
	}
}

// hindrance says why payloads cannot travel in a certain way, or nothing.
func (b *planner) hindrance(f flows.Spec, use brokerUse, p parcel) string {
	c := flows.Carriage{Mode: flows.Mode(p.mode)}
	switch {
	case !c.Carries(f):
		return fmt.Sprintf("flow %s tells others than the client of commands, and what they are told travels inline; "+
			"want mode inline, or another flow", f.Name)
	case b.s.Payloads.Bulk != nil && f.Tells != flows.Nobody:
		return fmt.Sprintf("flow %s tells others than the client of commands, and would send a large payload to each "+
			"of them; want another flow", f.Name)
	case p.mode == string(flows.Inline) && use.MaxMessage > 0 && p.largest+framing > use.MaxMessage &&
		f.Uses.Has(flows.UsesBroker):
		return fmt.Sprintf("payloads of %s with what goes with them do not fit into a message of %s, which takes %s; "+
			"want smaller ones, or mode reference or stream", formatSize(p.largest), use.Name,
			formatSize(use.MaxMessage))
	case p.mode == string(flows.Stream) && use.MaxMessage > 0 && maxChunk+framing > use.MaxMessage:
		return fmt.Sprintf("chunks do not fit into a message of %s, which takes %s; want another broker",
			use.Name, formatSize(use.MaxMessage))
	default:
		return ""
	}
}
