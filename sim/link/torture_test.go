package link_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"flowbench/sim/link"
)

// The flags: how often each impairment is armed and healed, and in which time a heal
// must return whatever the peers do. By default that is long, for busy machines.
var (
	torments  = flag.Int("torments", 3, "how often TestTorture heals each impairment")
	healBound = flag.Duration("heal-bound", patience, "how long a heal may take in TestTorture")
)

const (
	tormentors = 48 // clients at once
	visitTime  = 250 * time.Millisecond
)

// TestTorture arms and heals every impairment while clients send, break off with a
// reset and come back, and a third of them read slowly or not at all. No heal may
// wait for any of them, and nothing may be left in the end. make torture does it a
// hundred times, with the race detector.
func TestTorture(t *testing.T) {
	impairments := []link.Impairment{
		link.Stall{}, link.Drop{}, link.Reset{}, link.Refuse{}, link.Hang{}, link.Latency{Delay: 2 * time.Millisecond},
		link.Bandwidth{BytesPerS: 1 << 20}, link.SlowClose{Delay: 50 * time.Millisecond},
		link.Slice{Bytes: 64, Pause: time.Millisecond}, link.Limit{Bytes: 4 << 10},
	}
	for _, i := range impairments {
		t.Run(fmt.Sprintf("%T", i), func(t *testing.T) {
			x := listen(t)
			l, err := link.New(t.Context(), x.address(), link.Config{})
			if err != nil {
				t.Fatal(err)
			}
			stop := torment(x, l)
			for range *torments {
				a := arm(t, l, link.BothWays, i)
				before := l.Stats()
				await(t, "clients come and go", func() bool {
					now := l.Stats()
					return now != before || now.Alive == 0 // what the kernel refuses shows nowhere
				})
				healed := make(chan error, 1)
				go func() { healed <- a.Heal() }()
				select {
				case err := <-healed:
					must(t, err)
				case <-time.After(*healBound):
					t.Fatal("a heal hangs")
				}
			}
			stop()
			must(t, l.Close())
			await(t, "no goroutine of a link is left", func() bool { return goroutinesOfLinks() == 0 })
		})
	}
}

// torment has clients send through the link until the function that it returns is
// called: they reset their connections at random, and every third reads nothing.
func torment(x target, l *link.Link) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { echo(x, quit, &wg) })
	for c := range tormentors {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			for {
				select {
				case <-quit:
					return
				default:
					visit(l.Address(), rng, c%3 == 0)
				}
			}
		})
	}
	return func() {
		close(quit)
		_ = x.Close() // the accept loop ends with it
		wg.Wait()
	}
}

// visit is one connection of a client.
func visit(address string, rng *rand.Rand, slow bool) {
	conn, err := net.DialTimeout("tcp", address, visitTime)
	if err != nil {
		return // refused, as it may be
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(visitTime)) // whatever is armed, it comes back
	buffer := make([]byte, 16<<10)
	for range 1 + rng.IntN(8) {
		if _, err := conn.Write(buffer[:1+rng.IntN(len(buffer))]); err != nil {
			break
		}
		if slow {
			continue
		}
		if _, err := conn.Read(buffer); err != nil {
			break
		}
	}
	if rng.IntN(2) == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset, in the middle of whatever is under way
	}
}

// echo sends everything back until the listener closes.
func echo(x target, quit chan struct{}, wg *sync.WaitGroup) {
	for {
		conn, err := x.AcceptTCP()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer conn.Close()
			wg.Go(func() {
				<-quit
				_ = conn.Close()
			})
			_, _ = io.Copy(conn, conn)
		})
	}
}
