package scenarios

import (
	"os"
	"testing"
	"time"
)

// FuzzParse holds Parse and Plan to their promises whatever the text: no panic,
// bounded time, errors with places, and only plans that are within bounds.
func FuzzParse(f *testing.F) {
	for _, e := range Library() {
		f.Add(e.Text, "load.rate_per_s", "500")
	}
	for _, file := range brokenFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "brokers", "nats,jetstream")
	}
	f.Add([]byte(plain), "service.time", "{distribution: bimodal}")
	f.Add([]byte(plain), "..", "[[")
	cat := testCatalog()
	f.Fuzz(func(t *testing.T, data []byte, path, value string) {
		began := time.Now()
		for _, overrides := range [][]Override{nil, {{Path: path, Value: value}}} {
			s, err := Parse("fuzz.yaml", data, overrides...)
			if err != nil {
				all(t, err)
				continue
			}
			p, err := s.Plan(cat)
			if err != nil {
				all(t, err)
				continue
			}
			within(t, p)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes took %s", len(data), took)
		}
	})
}

// within checks what the engine relies on.
func within(t *testing.T, p *Plan) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range p.Cells {
		l := c.Load
		switch {
		case seen[c.ID]:
			t.Errorf("cell %s is there twice", c.ID)
		case l.Clients < 1 || l.MaxInFlight < 1 || l.Keys < 1 || l.PayloadBytes < 16 ||
			l.Timeout <= 0 || l.Duration <= 0:
			t.Errorf("cell %s has no load: %+v", c.ID, l)
		case (l.Arrivals == Closed) != (l.Users > 0) || (l.Arrivals == Closed) == (l.RatePerS > 0):
			t.Errorf("cell %s is neither open nor closed: %+v", c.ID, l)
		case l.PayloadBytes*l.MaxInFlight > maxInFlightBytes ||
			l.RatePerS*(l.Warmup+l.Duration).seconds() > maxOperations:
			t.Errorf("cell %s is out of bounds: %+v", c.ID, l)
		case l.Timeout > l.Drain || c.Polling.Max < c.Polling.Interval || c.Polling.Backoff < 1:
			t.Errorf("cell %s contradicts itself: %+v", c.ID, c)
		}
		seen[c.ID] = true
	}
}
