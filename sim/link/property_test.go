package link_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/sim/link"
)

// harmless are the impairments that change when bytes arrive, and nothing else.
func harmless() *rapid.Generator[link.Impairment] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) link.Impairment {
			delay := rapid.IntRange(1, 3000).Draw(t, "delay us")
			jitter := rapid.IntRange(0, delay).Draw(t, "jitter us")
			us := time.Microsecond
			return link.Latency{Delay: time.Duration(delay) * us, Jitter: time.Duration(jitter) * us}
		}),
		rapid.Custom(func(t *rapid.T) link.Impairment {
			return link.Bandwidth{BytesPerS: int64(rapid.IntRange(1<<20, 1<<30).Draw(t, "rate"))}
		}),
		rapid.Custom(func(t *rapid.T) link.Impairment {
			return link.Slice{
				Bytes: rapid.IntRange(512, 40<<10).Draw(t, "slice"),
				Pause: time.Duration(rapid.IntRange(0, 200).Draw(t, "pause us")) * time.Microsecond,
			}
		}),
		rapid.Just[link.Impairment](link.Stall{}),
		rapid.Just[link.Impairment](link.Refuse{}),
		rapid.Just[link.Impairment](link.Hang{}),
		rapid.Just[link.Impairment](link.SlowClose{Delay: time.Millisecond}),
		rapid.Just[link.Impairment](link.Limit{Bytes: 1 << 40}),
	)
}

// A stream is one direction of one connection under test.
type stream struct {
	from, to *net.TCPConn
	want     []byte
	got      []byte
	err      error
}

// draw makes what is sent, how it is cut into writes, and how greedily it is
// read.
func (s *stream) run(writes []int, readSize int, wg *sync.WaitGroup) {
	wg.Go(func() {
		b := s.want
		for i := 0; len(b) > 0; i++ {
			n := min(len(b), writes[i%len(writes)])
			if _, err := s.from.Write(b[:n]); err != nil {
				return // the reader tells
			}
			b = b[n:]
		}
		_ = s.from.CloseWrite() // if it fails, the reader tells
	})
	wg.Go(func() {
		buf := make([]byte, readSize)
		for {
			n, err := s.to.Read(buf)
			s.got = append(s.got, buf[:n]...)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					s.err = err
				}
				return
			}
		}
	})
}

// TestBytesArriveExactlyAndInOrder arms and heals whatever delays, while several
// connections send both ways and close each half when it is done.
func TestBytesArriveExactlyAndInOrder(t *testing.T) {
	x := listen(t)
	directions := rapid.SampledFrom([]link.Direction{link.ToTarget, link.FromTarget, link.BothWays})
	rapid.Check(t, func(rt *rapid.T) {
		queue := rapid.SampledFrom([]int{1, 4 << 10, 64 << 10, 8 << 20}).Draw(rt, "queue")
		l, err := link.New(rt.Context(), x.address(), link.Config{Seed: 1, QueueBytes: queue})
		if err != nil {
			rt.Fatal(err)
		}
		streams := start(rt, l, x)
		var wg sync.WaitGroup
		for i, s := range streams {
			writes := rapid.SliceOfN(rapid.IntRange(1, 100<<10), 1, 5).Draw(rt, fmt.Sprint("writes ", i))
			s.run(writes, rapid.IntRange(1<<10, 64<<10).Draw(rt, fmt.Sprint("reads ", i)), &wg)
		}
		var armed []*link.Armed
		for range rapid.IntRange(0, 12).Draw(rt, "acts") {
			if len(armed) > 0 && rapid.Bool().Draw(rt, "heal") {
				i := rapid.IntRange(0, len(armed)-1).Draw(rt, "which")
				must(rt, armed[i].Heal())
				armed = append(armed[:i], armed[i+1:]...)
				continue
			}
			i := harmless().Draw(rt, "impairment")
			d := directions.Draw(rt, "direction")
			switch i.(type) {
			case link.Refuse, link.Hang:
				d = link.BothWays
			}
			armed = append(armed, arm(rt, l, d, i))
			let(rapid.IntRange(0, 300).Draw(rt, "yields"))
		}
		for _, a := range armed {
			must(rt, a.Heal())
		}
		wg.Wait()
		for i, s := range streams {
			if s.err != nil {
				rt.Errorf("stream %d ended with %v", i, s.err)
			}
			sameBytes(rt, fmt.Sprint("stream ", i), s.got, s.want)
			must(rt, s.from.Close())
		}
		settled(rt, l, streams)
	})
}

// let lets other goroutines run, so that what is armed meets bytes.
func let(yields int) {
	for range yields {
		runtime.Gosched()
	}
}

// start opens connections with something to say both ways.
func start(rt *rapid.T, l *link.Link, x target) []*stream {
	var streams []*stream
	for i := range rapid.IntRange(1, 3).Draw(rt, "connections") {
		client := dial(rt, l)
		send(rt, client, "!")
		server := x.accept(rt)
		expect(rt, server, "!") // so that the two belong together
		size := rapid.IntRange(0, 200<<10)
		streams = append(
			streams,
			&stream{from: client, to: server, want: pattern(size.Draw(rt, "up"), byte(2*i))},
			&stream{from: server, to: client, want: pattern(size.Draw(rt, "down"), byte(2*i+1))},
		)
	}
	return streams
}

// settled holds the counters of a link against what went through it.
func settled(rt *rapid.T, l *link.Link, streams []*stream) {
	await(rt, "the connections are forgotten", func() bool { return l.Stats().Alive == 0 })
	var up, down int64
	for i, s := range streams {
		if i%2 == 0 {
			up += int64(len(s.want)) + 1
		} else {
			down += int64(len(s.want))
		}
	}
	want := link.Stats{
		Accepted: int64(len(streams) / 2),
		ToTarget: link.Traffic{Forwarded: up}, FromTarget: link.Traffic{Forwarded: down},
	}
	if s := l.Stats(); s != want {
		rt.Errorf("stats are %+v; want %+v", s, want)
	}
	must(rt, l.Close())
}

// TestWhatArrivesIsAPrefix arms what destroys connections, while they send: what
// arrives may be less, and is never anything else.
func TestWhatArrivesIsAPrefix(t *testing.T) {
	x := listen(t)
	destructive := rapid.SampledFrom([]link.Impairment{
		link.Drop{}, link.Reset{}, link.Limit{Bytes: 1}, link.Limit{Bytes: 70_000}, link.Stall{},
	})
	rapid.Check(t, func(rt *rapid.T) {
		l, err := link.New(rt.Context(), x.address(), link.Config{})
		if err != nil {
			rt.Fatal(err)
		}
		streams := start(rt, l, x)
		var wg sync.WaitGroup
		for _, s := range streams {
			s.run([]int{10_000}, 32<<10, &wg)
		}
		var armed []*link.Armed
		for range rapid.IntRange(1, 4).Draw(rt, "acts") {
			armed = append(armed, arm(rt, l, link.BothWays, destructive.Draw(rt, "impairment")))
			let(rapid.IntRange(0, 300).Draw(rt, "yields"))
		}
		for _, i := range rapid.Permutation(armed).Draw(rt, "order of healing") {
			must(rt, i.Heal())
		}
		wg.Wait()
		for i, s := range streams {
			if len(s.got) > len(s.want) {
				rt.Fatalf("stream %d: got %d bytes; want at most %d", i, len(s.got), len(s.want))
			}
			sameBytes(rt, fmt.Sprint("stream ", i), s.got, s.want[:len(s.got)])
			must(rt, s.from.Close())
		}
		await(rt, "the connections are forgotten", func() bool { return l.Stats().Alive == 0 })
		s := l.Stats()
		if s.ToTarget.Held != 0 || s.FromTarget.Held != 0 {
			rt.Errorf("stats are %+v; want nothing held", s)
		}
		// A healed link carries on.
		client := dial(rt, l)
		send(rt, client, "again")
		expect(rt, x.accept(rt), "again")
		must(rt, l.Close())
	})
}

// TestAHealedLinkLeavesNoGoroutine counts those of the link while its
// connections live on: there may be no more than before anything was armed.
func TestAHealedLinkLeavesNoGoroutine(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	send(t, client, "before")
	expect(t, server, "before")
	before := goroutinesOfLinks()
	for _, i := range []link.Impairment{
		link.Stall{}, link.Latency{Delay: time.Millisecond}, link.Bandwidth{BytesPerS: 1 << 20}, link.Slice{Bytes: 2},
		link.Refuse{}, link.Hang{}, link.SlowClose{Delay: time.Second}, link.Limit{Bytes: 1 << 20},
	} {
		a := arm(t, l, link.BothWays, i)
		send(t, client, "during")
		send(t, server, "during")
		must(t, a.Heal())
		expect(t, server, "during")
		expect(t, client, "during")
	}
	await(t, "the goroutines have ended", func() bool { return goroutinesOfLinks() <= before })
}

func goroutinesOfLinks() int {
	b := make([]byte, 1<<20)
	n := 0
	for g := range strings.SplitSeq(string(b[:runtime.Stack(b, true)]), "\n\n") {
		if strings.Contains(g, "flowbench/sim/link.(") {
			n++
		}
	}
	return n
}
