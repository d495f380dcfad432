package link

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNoWindowHasMoreThanItsBandwidth asks for pieces at random times, early and
// late, and holds every stretch of time against the rate: what was left unused
// longer ago than the credit must not be made up for.
func TestNoWindowHasMoreThanItsBandwidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := int64(rapid.IntRange(1_000, 1<<30).Draw(t, "rate"))
		most := Bandwidth{BytesPerS: rate}.quantum()
		p := &pace{rate: rate}
		now := time.Unix(1_000, 0)
		type piece struct {
			at time.Time
			n  int
		}
		var sent []piece
		for range rapid.IntRange(1, 60).Draw(t, "pieces") {
			now = now.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "gap us")) * time.Microsecond)
			n := rapid.IntRange(1, most).Draw(t, "n")
			if at := p.reserve(now, n); at.After(now) {
				now = at // who must wait, waits
			}
			sent = append(sent, piece{now, n})
		}
		burst := credit.Seconds()*float64(rate) + float64(most)
		for i := range sent {
			sum := 0
			for _, s := range sent[i:] {
				sum += s.n
				if may := float64(rate)*s.at.Sub(sent[i].at).Seconds() + burst; float64(sum) > may*1.0001+1 {
					t.Fatalf("%d bytes went in %v; want at most %.0f", sum, s.at.Sub(sent[i].at), may)
				}
			}
		}
	})
}

// TestLatenessIsPaidBack wakes up late for every piece, and wants the whole rate
// nevertheless.
func TestLatenessIsPaidBack(t *testing.T) {
	const late = time.Millisecond
	b := Bandwidth{BytesPerS: 10e6}
	p := &pace{rate: b.BytesPerS}
	began := time.Unix(1_000, 0)
	now, sum := began, 0
	for now.Before(began.Add(time.Second)) {
		if at := p.reserve(now, 1000); at.After(now) {
			now = at.Add(late)
		}
		sum += 1000
	}
	if got := float64(sum) / now.Sub(began).Seconds() / float64(b.BytesPerS); got < 0.99 || got > 1.03 {
		t.Errorf("delivered %.3f of the rate; want all of it", got)
	}
}
