package chunks_test

import (
	"errors"
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows/chunks"
)

// drawn draws a stream and what befalls it. Sizes around a whole number of chunks
// come often.
func drawn(t *rapid.T) plan {
	p := plan{
		Seed: rapid.Uint64().Draw(t, "seed"), Chunk: rapid.IntRange(1, 64).Draw(t, "chunk"),
		Window: rapid.IntRange(1, 12).Draw(t, "window"), Room: rapid.IntRange(1, 12).Draw(t, "room"),
		Fed: rapid.Bool().Draw(t, "fed"), Forge: -1, BreakAt: -1,
	}
	p.Size = max(0, p.Chunk*rapid.IntRange(0, 40).Draw(t, "chunks")+rapid.IntRange(-2, 2).Draw(t, "odd"))
	duration := func(name string, most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(most/time.Microsecond)).Draw(t, name)) * time.Microsecond
	}
	percent := func(name string, most int) float64 { return float64(rapid.IntRange(0, most).Draw(t, name)) / 100 }
	p.Jitter, p.Slow, p.Work = duration("jitter", 10*hop), duration("slow", 3*hop), duration("work", abandon*2)
	p.Loss, p.Twice = percent("loss", 30), percent("twice", 30)
	p.Damage = percent("damage", 5)
	switch rapid.IntRange(0, 6).Draw(t, "trouble") {
	case 0, 1: // no more than that
	case 2:
		p.CutAt, p.CutFor = duration("cut at", 10*stall), duration("cut for", 3*abandon)
	case 3:
		for range rapid.IntRange(1, 3).Draw(t, "deaths") {
			p.Deaths = append(p.Deaths, duration("death", 5*stall))
			p.Births = append(p.Births, duration("birth", 2*abandon))
		}
	case 4:
		p.SenderDies = 1 + duration("sender dies", 10*stall)
	case 5:
		p.Births = []time.Duration{duration("birth", 5*stall)} // two at once
		p.Loss = percent("heavy loss", 80)
	case 6:
		if rapid.Bool().Draw(t, "forge") {
			p.Forge = rapid.IntRange(0, 40).Draw(t, "forged chunk")
		} else {
			p.Fed, p.BreakAt = true, rapid.IntRange(0, p.Size).Draw(t, "break at")
		}
	}
	return p
}

// TestEveryStreamEndsCompleteOrFailsClearly runs random streams through random
// networks.
func TestEveryStreamEndsCompleteOrFailsClearly(t *testing.T) {
	checks := "10000"
	if testing.Short() {
		checks = "5000" // of which rapid runs a fifth; among fewer, rare ends may be missing by chance
	}
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		before := f.Value.String()
		if err := f.Value.Set(checks); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Value.Set(before) }()
	}
	ends := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		w := newWorld(p)
		if err := w.run(); err != nil {
			t.Fatalf("%+v: after %v and %d steps: %v", p, w.now, w.steps, err)
		}
		var failure *chunks.Failure
		switch {
		case errors.As(w.verdict, &failure):
			ends[failure.Reason.String()]++
		case w.ended:
			ends["done"]++
		}
	})
	t.Log(ends)
	if !t.Failed() && (ends["done"] == 0 || len(ends) < 4) {
		t.Errorf("the streams end as %v; want more ways to end", ends)
	}
}
