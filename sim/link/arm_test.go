package link_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"flowbench/sim/link"
)

func TestAStallHoldsEverythingAndReleasesItInOrder(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	send(t, client, "before")
	expect(t, server, "before")
	a := arm(t, l, link.ToTarget, link.Stall{})
	if !a.Effect().None() {
		t.Errorf("the effect is %+v before anything was sent; want none", a.Effect())
	}
	send(t, client, "held")
	await(t, "the bytes are held", func() bool { return l.Stats().ToTarget.Held == 4 })
	expectSilence(t, server)
	send(t, server, "other way")
	expect(t, client, "other way")
	must(t, client.CloseWrite())
	must(t, a.Heal())
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "held" {
		t.Errorf("read %q, %v; want what was held, and the end", got, err)
	}
	if e := a.Effect(); e.Bytes != 4 {
		t.Errorf("the effect is %+v; want 4 bytes", e)
	}
	must(t, a.Heal())
}

func TestAStallPushesBackOnTheSender(t *testing.T) {
	const bound = 64 << 10
	l, client, server := connected(t, link.Config{QueueBytes: bound})
	a := arm(t, l, link.BothWays, link.Stall{})
	want := pattern(32<<20, 1) // more than the queue and all buffers of the kernel
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(want)
		sent <- errors.Join(err, client.CloseWrite())
	}()
	await(t, "the queue is full", func() bool { return l.Stats().ToTarget.Held >= bound/2 })
	select {
	case err := <-sent:
		t.Fatalf("the sender was done while nothing could be forwarded: %v", err)
	default:
	}
	if held := l.Stats().ToTarget.Held; held > bound+32<<10 {
		t.Errorf("%d bytes are held; want at most %d and one read", held, bound)
	}
	must(t, a.Heal())
	got, err := io.ReadAll(server)
	must(t, err)
	must(t, <-sent)
	sameBytes(t, "released", got, want)
}

// Nothing may pass once arming has returned, whatever was under way before.
func TestNothingPassesOnceAStallIsArmed(t *testing.T) {
	l, client, server := connected(t, link.Config{QueueBytes: 1 << 20})
	go func() {
		for buf := make([]byte, 64<<10); ; {
			if _, err := client.Write(buf); err != nil {
				return // the link is closed at the end
			}
		}
	}()
	go func() { _, _ = io.Copy(io.Discard, server) }() // ends like the sender
	for range 100 {
		before := l.Stats().ToTarget.Forwarded
		await(t, "bytes flow", func() bool { return l.Stats().ToTarget.Forwarded > before })
		a := arm(t, l, link.ToTarget, link.Stall{})
		before = l.Stats().ToTarget.Forwarded
		await(t, "bytes are held", func() bool { return l.Stats().ToTarget.Held > 0 })
		if after := l.Stats().ToTarget.Forwarded; after != before {
			t.Fatalf("%d bytes passed after the stall was armed", after-before)
		}
		must(t, a.Heal())
	}
}

// A receiver that does not read leaves the link with bytes in hand, which is
// where arming could lose or reorder them.
func TestArmingTakesHoldOfAConnectionThatIsStuck(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	want := pattern(32<<20, 2)
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(want)
		sent <- errors.Join(err, client.CloseWrite())
	}()
	var last int64
	await(t, "nothing moves any more", func() bool {
		before := last
		last = l.Stats().ToTarget.Forwarded
		return last > 0 && last == before
	})
	began := time.Now()
	a := arm(t, l, link.BothWays, link.Stall{})
	if took := time.Since(began); took > patience/2 {
		t.Errorf("arming took %v", took)
	}
	forwarded := l.Stats().ToTarget.Forwarded
	first := make([]byte, forwarded)
	_, err := io.ReadFull(server, first)
	must(t, err)
	expectSilence(t, server)
	if e := a.Effect(); e.Bytes == 0 {
		t.Error("the stall held nothing")
	}
	must(t, a.Heal())
	rest, err := io.ReadAll(server)
	must(t, err)
	must(t, <-sent)
	sameBytes(t, "all of it", append(first, rest...), want)
}

func TestADropLosesBytesAndResetsWhenHealed(t *testing.T) {
	x := listen(t)
	l := open(t, x.address(), link.Config{})
	client := dial(t, l)
	server := x.accept(t)
	spared := dial(t, l)
	sparedServer := x.accept(t)
	a := arm(t, l, link.ToTarget, link.Drop{})
	send(t, client, "lost")
	await(t, "the bytes are lost", func() bool { return l.Stats().ToTarget.Discarded == 4 })
	send(t, server, "kept")
	expect(t, client, "kept")
	must(t, a.Heal())
	expectError(t, client, syscall.ECONNRESET)
	expectError(t, server, syscall.ECONNRESET)
	send(t, spared, "whole")
	expect(t, sparedServer, "whole")
	if e, want := a.Effect(), (link.Effect{Bytes: 4, Connections: 1}); e != want {
		t.Errorf("the effect is %+v; want %+v", e, want)
	}
}

func TestNothingFollowsWhatWasDroppedWhileAnotherDropRemains(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	one, two := arm(t, l, link.ToTarget, link.Drop{}), arm(t, l, link.BothWays, link.Drop{})
	send(t, client, "lost")
	await(t, "the bytes are lost", func() bool { return l.Stats().ToTarget.Discarded == 4 })
	must(t, one.Heal())
	send(t, client, "lost too")
	await(t, "more is lost", func() bool { return l.Stats().ToTarget.Discarded == 12 })
	expectSilence(t, server)
	must(t, client.CloseWrite())
	must(t, two.Heal())
	expectError(t, server, syscall.ECONNRESET)
}

func TestAResetReachesBothEndsAndEveryNewConnection(t *testing.T) {
	x := listen(t)
	l := open(t, x.address(), link.Config{})
	client := dial(t, l)
	server := x.accept(t)
	a := arm(t, l, link.BothWays, link.Reset{})
	expectError(t, client, syscall.ECONNRESET)
	expectError(t, server, syscall.ECONNRESET)
	expectReset(t, l)
	await(t, "all are counted", func() bool { return a.Effect().Connections == 2 })
	must(t, a.Heal())
	client = dial(t, l)
	send(t, client, "again")
	expect(t, x.accept(t), "again")
	if s := l.Stats(); s.Cut != 2 || s.Accepted != 3 || s.Alive != 1 {
		t.Errorf("stats are %+v; want 3 accepted, 2 cut, 1 alive", s)
	}
}

func TestARefusingLinkKeepsItsAddressAndItsConnections(t *testing.T) {
	x := listen(t)
	l := open(t, x.address(), link.Config{})
	client := dial(t, l)
	server := x.accept(t)
	var d net.Dialer
	through := l.Dialer(d.DialContext)
	for round := range 50 {
		a := arm(t, l, link.BothWays, link.Refuse{})
		both := arm(t, l, link.BothWays, link.Refuse{})
		must(t, a.Heal())
		if c, err := through(t.Context(), "tcp", x.address()); !errors.Is(err, syscall.ECONNREFUSED) {
			if c != nil {
				_ = c.Close()
			}
			t.Fatalf("dial %d while refused returned %v; want connection refused", round, err)
		}
		send(t, client, "still here")
		expect(t, server, "still here")
		if e := both.Effect(); e.Connections != 1 || !a.Effect().None() {
			t.Errorf("the effects are %+v and %+v; want one connection, and none", e, a.Effect())
		}
		must(t, both.Heal())
		c := dial(t, l)
		send(t, c, "back")
		expect(t, x.accept(t), "back")
		must(t, c.Close())
	}
	if s := l.Stats(); s.Refused != 50 {
		t.Errorf("%d were refused; want 50", s.Refused)
	}
}

func TestAHangingLinkAcceptsAndGoesOnWhenHealed(t *testing.T) {
	x := listen(t)
	l := open(t, x.address(), link.Config{})
	old := dial(t, l)
	oldServer := x.accept(t)
	a := arm(t, l, link.BothWays, link.Hang{})
	client := dial(t, l)
	send(t, client, "patient")
	expectSilence(t, client)
	send(t, old, "untouched")
	expect(t, oldServer, "untouched")
	await(t, "it is counted", func() bool { return a.Effect().Connections == 1 })
	must(t, a.Heal())
	expect(t, x.accept(t), "patient")
	a = arm(t, l, link.BothWays, link.Hang{})
	client = dial(t, l)
	await(t, "it hangs", func() bool { return a.Effect().Connections == 1 })
	must(t, arm(t, l, link.BothWays, link.Reset{}).Heal())
	expectError(t, client, syscall.ECONNRESET)
	must(t, a.Heal())
}

// roundTrips sends bytes to and fro and returns how long each took, sorted.
func roundTrips(t tb, n int, client, server net.Conn) []time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		send(t, client, "ping")
		expect(t, server, "ping")
		send(t, server, "pong")
		expect(t, client, "pong")
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took
}

func TestLatencyIsNeverLessThanAsked(t *testing.T) {
	const delay, jitter = 4 * time.Millisecond, 2 * time.Millisecond
	l, client, server := connected(t, link.Config{Seed: 1})
	a := arm(t, l, link.ToTarget, link.Latency{Delay: delay, Jitter: jitter})
	b := arm(t, l, link.FromTarget, link.Latency{Delay: delay})
	took := roundTrips(t, 50, client, server)
	if least := 2*delay - jitter; took[0] < least {
		t.Errorf("the fastest round trip took %v; want at least %v", took[0], least)
	}
	if took[len(took)/2] < 2*delay-jitter/2 || took[len(took)/2] > patience/50 {
		t.Errorf("the median round trip took %v; want about %v", took[len(took)/2], 2*delay)
	}
	if took[len(took)-1]-took[0] < jitter {
		t.Errorf("round trips took from %v to %v; want them to differ by the jitter", took[0], took[len(took)-1])
	}
	t.Logf("min %v, p50 %v, max %v", took[0], took[len(took)/2], took[len(took)-1])
	if e := a.Effect(); e.Bytes != 200 {
		t.Errorf("the effect is %+v; want 200 bytes", e)
	}
	must(t, a.Heal())
	if took := roundTrips(t, 20, client, server); took[0] < delay {
		t.Errorf("a round trip took %v while the way back was delayed; want at least %v", took[0], delay)
	}
	must(t, b.Heal())
}

func TestHealingLatencyReleasesWhatItHeld(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.BothWays, link.Latency{Delay: time.Hour})
	send(t, client, "soon")
	await(t, "the bytes are held", func() bool { return l.Stats().ToTarget.Held == 4 })
	must(t, a.Heal())
	expect(t, server, "soon")
}

// Delay must not become a loss of bandwidth: pieces that arrive together leave
// together.
func TestLatencyDelaysPiecesAtTheSameTime(t *testing.T) {
	const delay, pieces = 50 * time.Millisecond, 100
	l, client, server := connected(t, link.Config{})
	arm(t, l, link.BothWays, link.Latency{Delay: delay})
	began := time.Now()
	for i := range pieces {
		send(t, client, "piece")
		// Wait until the link has it, so that each is a chunk of its own.
		await(t, "it is read", func() bool {
			s := l.Stats().ToTarget
			return s.Held+s.Forwarded >= int64(5*(i+1))
		})
	}
	for range pieces {
		expect(t, server, "piece")
	}
	if took := time.Since(began); took > pieces*delay/2 {
		t.Errorf("%d pieces took %v; want little more than the delay of %v", pieces, took, delay)
	}
}

func TestBandwidthIsNeverExceeded(t *testing.T) {
	const rate, size = 2 << 20, 512 << 10
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.ToTarget, link.Bandwidth{BytesPerS: rate})
	began := time.Now()
	want := pattern(size, 3)
	go func() {
		_, _ = client.Write(want) // what is missing is seen by the reader
		_ = client.CloseWrite()
	}()
	got, err := io.ReadAll(server)
	took := time.Since(began)
	must(t, err)
	sameBytes(t, "through the narrows", got, want)
	const burst = rate * 30 / 1000 // the credit of 20 ms, a piece of 5 ms, and rounding
	if most := float64(rate)*took.Seconds() + burst; float64(size) > most {
		t.Errorf("%d bytes took %v; want at most %.0f in that time", size, took, most)
	}
	if took > 20*time.Second*size/rate {
		t.Errorf("%d bytes took %v; want about %v", size, took, time.Second*size/rate)
	}
	t.Logf("%.3f of the rate", float64(size)/took.Seconds()/rate)
	if a.Effect().None() {
		t.Error("the bandwidth had no effect")
	}
}

func TestAmpleBandwidthHasNoEffect(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.BothWays, link.Bandwidth{BytesPerS: 1 << 40})
	send(t, client, "little")
	expect(t, server, "little")
	if e := a.Effect(); !e.None() {
		t.Errorf("the effect is %+v; want none", e)
	}
}

func TestALimitEndsAConnectionAfterItsBytes(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	send(t, client, "free")
	expect(t, server, "free")
	a := arm(t, l, link.ToTarget, link.Limit{Bytes: 10})
	send(t, client, "12345")
	expect(t, server, "12345")
	send(t, client, "67890 and more")
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "67890" {
		t.Errorf("read %q, %v; want five bytes and the end", got, err)
	}
	if n, err := io.Copy(io.Discard, client); n != 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the sender read %d bytes, %v; want the end", n, err)
	}
	must(t, server.Close())
	must(t, client.Close())
	await(t, "the connection is forgotten", func() bool { return l.Stats().Alive == 0 })
	if e, want := a.Effect(), (link.Effect{Connections: 1}); e != want {
		t.Errorf("the effect is %+v; want %+v", e, want)
	}
}

func TestALimitEndsAConnectionWhosePeersStay(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	must(t, client.CloseWrite()) // one half is over before the limit strikes
	expectError(t, server, io.EOF)
	arm(t, l, link.FromTarget, link.Limit{Bytes: 3})
	send(t, server, "abcdef")
	expect(t, client, "abc")
	await(t, "the connection is forgotten", func() bool { return l.Stats().Alive == 0 })
	if s := l.Stats(); s.Cut != 1 {
		t.Errorf("%d connections were cut; want 1", s.Cut)
	}
}

func TestSlicesArriveApart(t *testing.T) {
	const pieces, pause = 20, 2 * time.Millisecond
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.ToTarget, link.Slice{Bytes: 3, Pause: pause})
	want := pattern(3*pieces, 4)
	began := time.Now()
	send(t, client, string(want))
	got := make([]byte, len(want))
	_, err := io.ReadFull(server, got)
	must(t, err)
	sameBytes(t, "sliced", got, want)
	if took := time.Since(began); took < (pieces-1)*pause {
		t.Errorf("%d slices took %v; want at least %v", pieces, took, (pieces-1)*pause)
	}
	if a.Effect().None() {
		t.Error("the slices had no effect")
	}
}

func TestASlowCloseDelaysTheEndAndNothingElse(t *testing.T) {
	const delay = 30 * time.Millisecond
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.BothWays, link.SlowClose{Delay: delay})
	send(t, client, "bytes")
	expect(t, server, "bytes")
	began := time.Now()
	must(t, client.CloseWrite())
	expectError(t, server, io.EOF)
	if took := time.Since(began); took < delay {
		t.Errorf("the end took %v; want at least %v", took, delay)
	}
	if e, want := a.Effect(), (link.Effect{Connections: 1}); e != want {
		t.Errorf("the effect is %+v; want %+v", e, want)
	}
}

func TestOverlappingImpairmentsHealOnTheirOwn(t *testing.T) {
	const delay = 3 * time.Millisecond
	l, client, server := connected(t, link.Config{})
	slow := arm(t, l, link.BothWays, link.Latency{Delay: delay})
	stall := arm(t, l, link.ToTarget, link.Stall{})
	more := arm(t, l, link.ToTarget, link.Stall{})
	send(t, client, "held")
	await(t, "the bytes are held", func() bool { return l.Stats().ToTarget.Held == 4 })
	must(t, stall.Heal())
	expectSilence(t, server)
	must(t, more.Heal())
	expect(t, server, "held")
	if took := roundTrips(t, 5, client, server); took[0] < 2*delay {
		t.Errorf("a round trip took %v after the stalls were healed; want at least %v", took[0], 2*delay)
	}
	must(t, slow.Heal())
	roundTrips(t, 5, client, server)
}

// A peer that vanishes during a partition is not known to the other before the
// partition ends.
func TestAStallHoldsAResetToo(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	a := arm(t, l, link.BothWays, link.Stall{})
	must(t, client.SetLinger(0))
	must(t, client.Close())
	await(t, "the end is held", func() bool { return a.Effect().Connections == 1 })
	expectSilence(t, server)
	must(t, a.Heal())
	expectError(t, server, syscall.ECONNRESET)
}

// Healing under load is where forwarders hang: a third of the clients abort
// during it, a third do not read, and the rest are well.
func TestHealingUnderLoadWaitsForNobody(t *testing.T) {
	x := listen(t)
	l := open(t, x.address(), link.Config{QueueBytes: 64 << 10})
	for range 3 {
		var armed []*link.Armed
		for _, i := range []link.Impairment{
			link.Latency{Delay: time.Millisecond}, link.Bandwidth{BytesPerS: 10 << 20}, link.Slice{Bytes: 1 << 10},
			link.Stall{},
		} {
			armed = append(armed, arm(t, l, link.BothWays, i))
		}
		const clients = 12
		var aborting, all []*net.TCPConn
		for i := range clients {
			client := dial(t, l)
			server := x.accept(t)
			all = append(all, client, server)
			for _, c := range []*net.TCPConn{client, server} {
				go func() {
					for buf := make([]byte, 32<<10); ; {
						if _, err := c.Write(buf); err != nil {
							return // it is closed in the end
						}
					}
				}()
				if i%3 > 0 {
					go func() { _, _ = io.Copy(io.Discard, c) }() // ends likewise
				}
			}
			if i%3 == 1 {
				aborting = append(aborting, client)
			}
		}
		await(t, "all is full", func() bool { return l.Stats().ToTarget.Held > clients<<14 })
		started, aborted := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(aborted)
			for i, c := range aborting {
				_ = c.SetLinger(0) // both fail only if it is closed
				_ = c.Close()
				if i == 0 {
					close(started)
				}
			}
		}()
		<-started
		began := time.Now()
		for _, a := range armed {
			must(t, a.Heal())
		}
		if took := time.Since(began); took > patience/4 {
			t.Errorf("healing took %v", took)
		}
		<-aborted
		for _, c := range all {
			_ = c.Close() // some are closed already
		}
		await(t, "the connections are forgotten", func() bool { return l.Stats().Alive == 0 })
	}
}
