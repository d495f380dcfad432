package flows

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOutcomeOf(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		name    string
		err     error
		outcome Outcome
		class   Class
	}{
		{"no error is ok", nil, OK, ""},
		{"a certain failure has failed", Fail(NoResponders, cause), Failed, NoResponders},
		{"also when it is wrapped", fmt.Errorf("publish: %w", Fail(Refused, cause)), Failed, Refused},
		{"what is marked unknown is undecided", Unknown(Disconnected, cause), Undecided, Disconnected},
		{"a timeout is never a failure", fmt.Errorf("await: %w", context.DeadlineExceeded), Undecided, Timeout},
		{"neither is the end of the run", context.Canceled, Undecided, Canceled},
		{"an error that nobody classified is undecided", cause, Undecided, Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outcome, class := OutcomeOf(tt.err)
			if outcome != tt.outcome || class != tt.class {
				t.Errorf("OutcomeOf(%v) = %v, %q; want %v, %q", tt.err, outcome, class, tt.outcome, tt.class)
			}
			want := tt.outcome == Undecided && tt.class == Disconnected
			if got := errors.Is(tt.err, ErrUnknown); got != want {
				t.Errorf("errors.Is(%v, ErrUnknown) = %v; want %v", tt.err, got, want)
			}
		})
	}
}

func TestPollingBacksOffUpToItsMaximum(t *testing.T) {
	p := Polling{Interval: 10 * time.Millisecond, Backoff: 2, Max: 50 * time.Millisecond}
	want := []time.Duration{10, 20, 40, 50, 50}
	for n, w := range want {
		if got := p.Pause(n); got != w*time.Millisecond {
			t.Errorf("pause %d is %v; want %v", n, got, w*time.Millisecond)
		}
	}
	if got := (Polling{Interval: time.Second, Backoff: 1, Max: time.Millisecond}).Pause(0); got != time.Millisecond {
		t.Errorf("an interval over the maximum gives %v; want the maximum", got)
	}
	if got := p.Pause(1 << 20); got != p.Max {
		t.Errorf("a very late pause is %v; want the maximum", got)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(3)
	for id := uint64(1); id <= 3; id++ {
		if !r.add(id) {
			t.Errorf("%d was there before it was added", id)
		}
	}
	if r.add(2) {
		t.Error("2 could be added twice")
	}
	r.add(4)
	if !r.add(1) {
		t.Error("1 was not forgotten when there was no room for it")
	}
	r.remove(4)
	if !r.add(4) {
		t.Error("4 could not be added again after it was removed")
	}
}
