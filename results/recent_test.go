package results

import (
	"testing"
	"time"
)

func TestRecentForgetsTheOldestAndCountsNothingTwice(t *testing.T) {
	r := &recent{}
	for i := range maxRecent + 10 { // one every second, each two seconds long
		at := time.Duration(i) * time.Second
		if r.took(taken{at, at + 2*time.Second, 7}) {
			t.Fatal("a fault was undone that nobody told of")
		}
	}
	const half = time.Second / 2
	if got := r.healed(5*time.Second + half); len(got) != 0 {
		t.Errorf("%d commands are remembered that are too old", len(got))
	}
	if got := r.healed(100*time.Second + half); len(got) != 2 || got[0] != 7 {
		t.Errorf("found %v; want two commands, due in bin 7", got)
	}
	if got := r.healed(100*time.Second + half); got != nil {
		t.Errorf("told again it finds %v", got)
	}
	if got := r.healed(101*time.Second + half); len(got) != 1 {
		t.Errorf("found %d commands in the next second; want the one that does not count yet", len(got))
	}
	during, after := taken{99 * time.Second, 102 * time.Second, 1}, taken{102 * time.Second, 103 * time.Second, 1}
	if !r.took(during) || r.took(after) {
		t.Error("a later command is not compared with what is known")
	}
}
