package leaktest

import (
	"errors"
	"testing"
	"time"
)

func TestWhatEndsLateIsNoLeak(t *testing.T) {
	asked := 0
	err := settle(func() error {
		if asked++; asked < 30 {
			return errors.New("still there")
		}
		return nil
	}, time.Now().Add(time.Hour))
	if err != nil || asked != 30 {
		t.Errorf("asked %d times: %v; want nothing left at the 30th", asked, err)
	}
}

func TestWhatNeverEndsIsALeak(t *testing.T) {
	left := errors.New("still there")
	if err := settle(func() error { return left }, time.Now()); !errors.Is(err, left) {
		t.Errorf("got %v; want what is left", err)
	}
}

func TestATestWithoutGoroutinesPasses(t *testing.T) { Check(t) }
