package link_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"flowbench/sim/link"
)

// isReset reports whether a connection has been reset, and false if it carries a
// byte to the server and back.
func isReset(t tb, c *net.TCPConn) bool {
	t.Helper()
	if _, err := c.Write([]byte{1}); err != nil {
		return true
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err != nil
}

// echoing returns a link to a server that sends back whatever it gets.
func echoing(t tb, cfg link.Config) *link.Link {
	t.Helper()
	x := listen(t)
	go func() {
		for {
			c, err := x.AcceptTCP()
			if err != nil {
				return // the listener is closed with the test
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until the client has gone
			}()
		}
	}()
	return open(t, x.address(), cfg)
}

// resetAmong makes n connections, resets a share of them, and returns which were
// reset of those and of as many new ones, and the effect.
func resetAmong(t tb, seed uint64, n, share int) (old, fresh []bool, e link.Effect) {
	t.Helper()
	l := echoing(t, link.Config{Seed: seed})
	var clients []*net.TCPConn
	for range n {
		c := dial(t, l)
		if isReset(t, c) {
			t.Fatalf("a connection was reset before anything was armed")
		}
		clients = append(clients, c)
	}
	a := arm(t, l, link.BothWays, link.Reset{Share: share})
	for _, c := range clients {
		old = append(old, isReset(t, c))
	}
	for range n {
		c, err := net.DialTimeout("tcp4", l.Address(), patience)
		fresh = append(fresh, err != nil || isReset(t, guarded(t, c)))
	}
	want := int64(count(old) + count(fresh))
	await(t, "all are counted", func() bool { return a.Effect().Connections >= want })
	must(t, a.Heal())
	if isReset(t, dial(t, l)) {
		t.Errorf("a connection was reset after all was healed")
	}
	return old, fresh, a.Effect()
}

func count(of []bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

func TestAResetTakesAShareOfTheConnections(t *testing.T) {
	old, fresh, e := resetAmong(t, 7, 200, 25)
	for what, n := range map[string]int{"that were there": count(old), "that were new": count(fresh)} {
		if n < 30 || n > 70 { // 50 are expected, give or take 6
			t.Errorf("%d of 200 connections %s were reset; want about 50", n, what)
		}
	}
	if want := int64(count(old) + count(fresh)); e.Connections != want {
		t.Errorf("the effect is %d connections; want the %d that were reset", e.Connections, want)
	}
}

func TestTheSameConnectionsAreResetForTheSameSeed(t *testing.T) {
	oldA, freshA, _ := resetAmong(t, 3, 40, 50)
	oldB, freshB, _ := resetAmong(t, 3, 40, 50)
	for i := range oldA {
		if oldA[i] != oldB[i] || freshA[i] != freshB[i] {
			t.Fatalf("connection %d was reset in one of two runs with the same seed", i)
		}
	}
}

// TestAResetOfAShareTakesAtLeastOneAndAllOnlyIfAllAreMeant holds for all shares and
// any number of connections.
func TestAResetOfAShareTakesAtLeastOneAndAllOnlyIfAllAreMeant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, share := rapid.IntRange(0, 6).Draw(rt, "connections"), rapid.IntRange(0, 100).Draw(rt, "share")
		old, fresh, e := resetAmong(rt, rapid.Uint64().Draw(rt, "seed"), n, share)
		if n > 0 && count(old) == 0 {
			rt.Errorf("none of %d connections was reset; want one at least", n)
		}
		if share%100 == 0 && count(old)+count(fresh) != 2*n {
			rt.Errorf("%d and %d of %d connections were reset; want all", count(old), count(fresh), n)
		}
		if want := int64(count(old) + count(fresh)); e.Connections != want {
			rt.Errorf("the effect is %d connections; want %d", e.Connections, want)
		}
	})
}

func TestAShareIsAPercentage(t *testing.T) {
	l := open(t, "127.0.0.1:1", link.Config{})
	for _, share := range []int{-1, 101} {
		if _, err := l.Arm(link.BothWays, link.Reset{Share: share}); err == nil {
			t.Errorf("a share of %d percent was armed; want an error", share)
		}
	}
}

// TestOnlyAllIsSaidWithoutAShare keeps the name of what resets all.
func TestOnlyAllIsSaidWithoutAShare(t *testing.T) {
	for share, want := range map[int]string{0: "reset", 100: "reset", 25: "reset of 25 %"} {
		if got := (link.Reset{Share: share}).String(); got != want {
			t.Errorf("a share of %d is %q; want %q", share, got, want)
		}
	}
}

func TestAResetReachesATargetThatHasAcceptedBeforeTheLinkKnowsIt(t *testing.T) {
	x := listen(t)
	reached, goOn := make(chan struct{}), make(chan struct{})
	l := open(t, x.address(), link.Config{Dial: func(ctx context.Context, network, at string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, at)
		if err != nil {
			return nil, err
		}
		close(reached)
		select {
		case <-goOn:
			return c, nil
		case <-ctx.Done(): // what a dialler does that is broken off after it has reached the target
			return nil, errors.Join(ctx.Err(), c.Close())
		}
	}})
	client := dial(t, l)
	server := x.accept(t)
	<-reached
	a := arm(t, l, link.BothWays, link.Reset{})
	expectError(t, client, syscall.ECONNRESET)
	must(t, a.Heal())
	close(goOn)
	expectError(t, server, syscall.ECONNRESET)
}
