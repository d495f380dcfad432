package link_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"flowbench/sim/link"
)

// An outgoing connection whose own port is the refusing one would be connected
// to itself.
func TestNoConnectionGetsThePortOfARefusingLink(t *testing.T) {
	l := open(t, listen(t).address(), link.Config{})
	arm(t, l, link.BothWays, link.Refuse{})
	from, err := net.ResolveTCPAddr("tcp4", l.Address())
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{LocalAddr: from}
	c, err := d.DialContext(t.Context(), "tcp4", l.Address())
	if err == nil {
		_ = c.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("dial from the refusing address returned %v; want that it is in use", err)
	}
}
