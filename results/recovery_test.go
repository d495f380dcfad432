package results

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A world in which an operation is due every millisecond for twelve seconds and
// takes one, but for those due in an outage, is told in one line each.
func timelineOf(life func(due time.Duration) (ended time.Duration, s Status)) *Timeline {
	r := newTimelineRecorder(0)
	for due := time.Duration(0); due < 12*time.Second; due += time.Millisecond {
		ended, status := life(due)
		o := Outcome{Op: 1 + uint64(due/time.Millisecond), Due: due, Started: due, Ended: ended, Status: status}
		if status == OK {
			o.Answered = ended
			r.count(&r.line.Applied, ended)
		}
		r.outcome(o)
	}
	return r.close()
}

const (
	outageBegin = 4 * time.Second
	outageHeal  = 6 * time.Second
)

func inOutage(t time.Duration) bool { return t >= outageBegin && t < outageHeal }

func TestARecoveryIsToldFromTheTimeline(t *testing.T) {
	const ms = time.Millisecond
	quick := func(due time.Duration) (time.Duration, Status) { return due + ms, OK }
	for _, tt := range []struct {
		about string
		life  func(due time.Duration) (time.Duration, Status)
		want  Recovery
	}{
		{"nothing shows", quick, Recovery{Recover: Moment{0, true}}},
		{
			"operations fail at once", func(due time.Duration) (time.Duration, Status) {
				if inOutage(due) {
					return due + ms, Failed
				}
				return quick(due)
			},
			Recovery{
				Detect: Moment{BinWidth, true}, Down: 2 * time.Second, Gap: 2*time.Second - BinWidth,
				Recover: Moment{0, true}, Bad: 2000,
			},
		},
		{
			"what is under way when it begins is cut, and nothing else shows",
			func(due time.Duration) (time.Duration, Status) {
				if due >= outageBegin-20*ms && due < outageBegin {
					return outageBegin, Unknown
				}
				return quick(due)
			},
			Recovery{Detect: Moment{BinWidth, true}, Recover: Moment{0, true}, Bad: 20},
		},
		{
			"what failed and ended before it began is not its doing",
			func(due time.Duration) (time.Duration, Status) {
				if due >= 3*time.Second && due < 3*time.Second+20*ms {
					return due + 500*ms, Failed
				}
				return quick(due)
			},
			Recovery{Recover: Moment{0, true}},
		},
		{
			"operations time out after a second, also those of the first half second after the heal",
			func(due time.Duration) (time.Duration, Status) {
				if inOutage(due) || inOutage(due-500*ms) {
					return due + time.Second, Unknown
				}
				return quick(due)
			},
			Recovery{
				Detect: Moment{time.Second + BinWidth, true}, Down: 2500 * ms, Gap: 2500*ms - BinWidth,
				Recover: Moment{500 * ms, true}, Bad: 2500,
			},
		},
		{
			"operations wait until the heal and are slow to drain", func(due time.Duration) (time.Duration, Status) {
				switch {
				case inOutage(due):
					return outageHeal + (due-outageBegin)/2, OK
				case due >= outageHeal && due < outageHeal+time.Second:
					return max(due, outageHeal+time.Second) + ms, OK
				}
				return quick(due)
			},
			Recovery{
				Detect: Moment{outageHeal - outageBegin + BinWidth, true}, Down: 2 * time.Second,
				Gap: 2*time.Second - BinWidth, Recover: Moment{time.Second, true},
			},
		},
		{
			"it never becomes well", func(due time.Duration) (time.Duration, Status) {
				if due >= outageBegin && due/ms%5 == 0 {
					return due + ms, Failed
				}
				return quick(due)
			},
			Recovery{Detect: Moment{BinWidth, true}, Bad: 1600, Within: 6 * time.Second},
		},
	} {
		t.Run(tt.about, func(t *testing.T) {
			f := Fault{Begin: outageBegin, Begun: outageBegin, Heal: outageHeal, Healed: outageHeal}
			got := timelineOf(tt.life).recovery(f, time.Second, nil)
			if got == nil {
				t.Fatal("there is no recovery")
			}
			if got.BasePerS < 990 || got.BasePerS > 1010 || got.BaseP99 < ms || got.BaseP99 > 1100*time.Microsecond ||
				got.Unsteady != "" {
				t.Errorf("the base is %.0f/s with a p99 of %v (%s)", got.BasePerS, got.BaseP99, got.Unsteady)
			}
			want := tt.want
			want.BasePerS, want.BaseP99, want.Offered = got.BasePerS, got.BaseP99, got.Offered
			want.Worst = got.Worst
			want.Backlog, want.Drain, want.DrainPerS = got.Backlog, got.Drain, got.DrainPerS
			if !tt.want.Recover.Seen {
				got.Within = got.Within.Round(time.Second)
			} else {
				want.Within = got.Within
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestARecoveryIsSeenAtLowRatesToo has an operation due every second but for the first
// two after the heal, which are not ok.
func TestARecoveryIsSeenAtLowRatesToo(t *testing.T) {
	for _, tt := range []struct {
		about string
		bad   func(due time.Duration) bool
		want  Moment
		lasts time.Duration
	}{
		{"what follows is well at once", inOutage, Moment{0, true}, 14 * time.Second},
		{"the first two afterwards fail", func(due time.Duration) bool {
			return due >= outageBegin && due < outageHeal+2*time.Second
		}, Moment{2 * time.Second, true}, 14 * time.Second},
		{"too few follow to tell", inOutage, Moment{}, 4 * time.Second},
	} {
		t.Run(tt.about, func(t *testing.T) {
			r := newTimelineRecorder(0)
			for due := time.Duration(0); due < outageHeal+tt.lasts; due += time.Second {
				o := Outcome{Op: 1 + uint64(due), Due: due, Started: due, Ended: due + time.Millisecond, Status: Failed}
				if !tt.bad(due) {
					o.Status, o.Answered = OK, o.Ended
				}
				r.outcome(o)
			}
			f := Fault{Begin: outageBegin, Begun: outageBegin, Heal: outageHeal, Healed: outageHeal}
			got := r.close().recovery(f, time.Second, nil)
			if got == nil || got.Recover != tt.want {
				t.Fatalf("the recovery is %+v; want it seen as %+v", got, tt.want)
			}
			last := tt.lasts - time.Second // when the last operation is due
			if got.Within < last || got.Within > last+TailWidth {
				t.Errorf("it was looked for during %v; want %v to the end of the load", got.Within, last)
			}
		})
	}
}

func TestABacklogIsWhatWasAcknowledgedAndNotApplied(t *testing.T) {
	r := newTimelineRecorder(0)
	for due := time.Duration(0); due < 12*time.Second; due += time.Millisecond {
		r.outcome(Outcome{Op: 1, Due: due, Started: due, Accepted: due + 1, Ended: due + 1, Status: OK})
		applied := due + time.Millisecond
		switch behind := due - outageBegin; {
		case inOutage(due): // nothing is applied in the outage; then the backlog at twice the rate
			applied = outageHeal + behind/2
		case due >= outageHeal && due < outageHeal+2*time.Second:
			applied = outageHeal + behind/2
		}
		r.count(&r.line.Applied, applied)
	}
	f := Fault{Begin: outageBegin, Begun: outageBegin, Heal: outageHeal, Healed: outageHeal}
	got := r.close().recovery(f, time.Second, []Event{
		{At: time.Second, Kind: "disconnected"}, {At: 4100 * time.Millisecond, Kind: "disconnected"},
	})
	if got.Backlog < 1990 || got.Backlog > 2010 {
		t.Errorf("the backlog is %d; want about 2000", got.Backlog)
	}
	if d := got.Drain.After; !got.Drain.Seen || d < 1900*time.Millisecond || d > 2100*time.Millisecond {
		t.Errorf("the drain took %v; want about 2 s", got.Drain)
	}
	if got.DrainPerS < 1950 || got.DrainPerS > 2050 {
		t.Errorf("it drained at %.0f/s; want about 2000/s", got.DrainPerS)
	}
	if want := (Moment{100 * time.Millisecond, true}); got.Cut != want {
		t.Errorf("the first connection was cut after %v; want %v", got.Cut, want)
	}
}
