package process_test

import (
	"strings"
	"testing"

	"flowbench/sim/process"
)

func TestATailKeepsTheEndAndNoMore(t *testing.T) {
	var tail process.Tail
	if got := tail.String(); got != "nothing" {
		t.Errorf("an empty tail says %q; want nothing", got)
	}
	for range 1000 {
		if _, err := tail.Write([]byte(strings.Repeat("x", 100))); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	if _, err := tail.Write([]byte("end")); err != nil {
		t.Fatalf("write: %v", err)
	}
	if got := tail.String(); len(got) != 16<<10 || !strings.HasSuffix(got, "xend") {
		t.Errorf("the tail has %d bytes and ends with %q; want 16384 that end with xend", len(got), got[len(got)-4:])
	}
}
