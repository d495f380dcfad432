package hops

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/results"
)

func parties() []party {
	return []party{
		{"client-0", "client"}, {"front-end-0", "front-end"}, {"service-0", "service"}, {"service-1", "service"},
	}
}

// anyRecord draws an operation with stamps that need make no sense.
func anyRecord(t *rapid.T) *record {
	started := time.Duration(rapid.Int64Range(0, 50).Draw(t, "started"))
	rec := &record{op: 7, ended: true}
	at := started
	for range rapid.IntRange(0, 40).Draw(t, "stamps") {
		at += time.Duration(rapid.Int64Range(0, 20).Draw(t, "after"))
		rec.stamps = append(rec.stamps, stamp{
			at: at, seq: rapid.Uint64Range(0, 2).Draw(t, "seq"), party: uint16(rapid.IntRange(0, 3).Draw(t, "party")),
			point: point(rapid.IntRange(0, int(worked)).Draw(t, "point")),
			class: class(rapid.IntRange(0, int(event)).Draw(t, "class")),
			poll:  rapid.Bool().Draw(t, "poll"), no: rapid.Bool().Draw(t, "no"),
		})
	}
	end := started + time.Duration(rapid.Int64Range(0, 900).Draw(t, "took"))
	rec.end = results.Outcome{
		Op: 7, Due: -time.Duration(rapid.Int64Range(0, 9).Draw(t, "early")), Started: started, Ended: end,
		Status: rapid.SampledFrom([]results.Status{results.OK, results.Failed, results.Unknown}).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "answered") {
		rec.end.Answered = end
	}
	if rapid.Bool().Draw(t, "accepted") {
		rec.end.Accepted = started + (end-started)/2
	}
	return rec
}

// TestLegsAddUpWhateverTheStamps holds ways to what they are for, even where stamps
// are missing, out of place or of somebody else.
func TestLegsAddUpWhateverTheStamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := anyRecord(t)
		w := way{record: rec, parties: parties()}
		ends, legs := w.legs()
		at := time.Duration(0)
		for _, l := range legs {
			switch {
			case l.For < 0 || l.From == "" || l.To == "" || l.Kind == "":
				t.Fatalf("a leg is %+v", l)
			case l.Beside:
			case l.At != at:
				t.Fatalf("a gap from %v to %v: %+v", at, l.At, legs)
			default:
				at += l.For
			}
		}
		o := rec.end
		want := map[string]time.Duration{"answered": o.Answered, "accepted": o.Accepted, "": o.Ended}[ends] - o.Due
		if ends == "applied" {
			want = rec.stamps[w.applied()].at - o.Due
		}
		if at != want {
			t.Fatalf("the legs until %q add up to %v; want %v: %+v", ends, at, want, legs)
		}
	})
}

// stamped makes an operation of stamps that are a microsecond apart.
func stamped(stamps ...stamp) *record {
	rec := &record{ended: true, end: results.Outcome{Status: results.OK}}
	for i, s := range stamps {
		s.at = time.Duration(i+1) * time.Microsecond
		rec.stamps = append(rec.stamps, s)
	}
	rec.end.Answered = time.Duration(len(stamps)+1) * time.Microsecond
	rec.end.Ended = rec.end.Answered
	return rec
}

// TestAClientThatGivesUpWaitedForAnAnswer looks at a call that ends at its own side,
// while the other is still at it.
func TestAClientThatGivesUpWaitedForAnAnswer(t *testing.T) {
	rec := stamped(
		stamp{point: called, party: theClient}, stamp{point: served, party: theFront},
		stamp{point: published, party: theFront, seq: 1}, stamp{point: returned, party: theClient},
		stamp{point: received, party: theService, seq: 1},
	)
	rec.end.Status, rec.end.Answered = results.Unknown, 0
	w := way{record: rec, parties: parties()}
	ends, legs := w.legs()
	var on []results.HopKind
	for _, l := range legs {
		if !l.Beside {
			on = append(on, l.Kind)
		}
	}
	if want := []results.HopKind{results.HopLag, results.HopInside, results.HopUnanswered}; ends != "" ||
		!slices.Equal(on, want) {
		t.Errorf("the way until %q is %v; want %v", ends, on, want)
	}
}

const (
	theClient uint16 = iota
	theFront
	theService
)

// TestAConfirmIsOnTheWayOnlyIfSomebodyWaitsForIt looks at the two ends of a race: a
// confirm that comes after the answer, and one without which nothing goes on.
func TestAConfirmIsOnTheWayOnlyIfSomebodyWaitsForIt(t *testing.T) {
	sent := stamp{point: published, party: theClient, seq: 1}
	took := stamp{point: confirmed, party: theClient, seq: 1}
	got, did := stamp{point: received, party: theService, seq: 1}, stamp{point: worked, party: theService}
	told := stamp{point: published, party: theService, seq: 1, class: answer}
	heard := stamp{point: received, party: theClient, seq: 1, class: answer}
	poll, asked := stamp{point: published, party: theClient, seq: 9, poll: true},
		stamp{point: received, party: theService, seq: 9, poll: true}
	for _, tt := range []struct {
		name   string
		stamps []stamp
		beside bool
	}{
		{"the answer overtakes the confirm", []stamp{sent, got, did, told, heard, took}, true},
		{"the confirm comes before the answer", []stamp{sent, took, got, did, told, heard}, true},
		{"a client asks once it has the confirm", []stamp{
			sent, took, got, did, poll, asked, {point: worked, party: theService, poll: true},
			{point: published, party: theService, seq: 9, class: answer, poll: true},
			{point: received, party: theClient, seq: 9, class: answer, poll: true},
		}, false},
	} {
		w := way{record: stamped(tt.stamps...), parties: parties()}
		_, legs := w.legs()
		found := false
		for _, l := range legs {
			if l.Kind == results.HopConfirm {
				found = true
				if l.Beside != tt.beside || l.To != "broker" {
					t.Errorf("%s: the confirm is %+v; want beside %v", tt.name, l, tt.beside)
				}
			}
		}
		if !found {
			t.Errorf("%s: there is no confirm in %+v", tt.name, legs)
		}
	}
}
