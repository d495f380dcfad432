package flows_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/des"
)

// TestAPileHoldsNoMoreThanItsStreamMay plays a reader and a network against a pile:
// chunks are taken in the order in which they came, none is lost, and with what the
// stream holds besides they are never more than there is room for.
func TestAPileHoldsNoMoreThanItsStreamMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 100
		var p flows.Pile
		if p.Put(1, 1) {
			t.Fatal("it takes a chunk before it is open")
		}
		p.Open(capacity)
		type chunk struct {
			seq uint64
			n   int
		}
		var lie []chunk
		examined, held, last := 0, 0, uint64(0) // bytes that are being examined; that are held besides
		weight := func() int {
			n := examined + held
			for _, c := range lie {
				n += c.n
			}
			return n
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				last++
				c := chunk{last, rapid.IntRange(0, 40).Draw(t, "bytes")}
				fits := c.n > 0 && weight()+c.n <= capacity
				if p.Put(c.seq, c.n) != fits {
					t.Fatalf("chunk of %d bytes beside %d: taken is %t", c.n, weight(), !fits)
				}
				if fits {
					lie = append(lie, c)
				}
			},
			"take": func(t *rapid.T) {
				seq, n, ok := p.Take()
				if ok != (len(lie) > 0) || ok && (lie[0] != chunk{seq, n}) {
					t.Fatalf("took %d of %d bytes, %t; %v lie there", seq, n, ok, lie)
				}
				if ok {
					lie, examined = lie[1:], examined+n
				}
			},
			"examine": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "some was read") {
					held -= rapid.IntRange(0, held).Draw(t, "read")
				}
				if rapid.Bool().Draw(t, "it is kept") { // else it had come before
					held += examined
				}
				p.Settle(examined, held)
				examined = 0
			},
		})
		p.Close()
		if _, _, ok := p.Take(); ok || p.Put(last+1, 1) {
			t.Fatal("it holds or takes chunks after it was closed")
		}
	})
}

// TestWhatLiesUnreadIsNotAskedForAgain has a reader that is slower than a sender is
// patient: what the sender is told when it asks counts the chunks that lie there.
func TestWhatLiesUnreadIsNotAskedForAgain(t *testing.T) {
	s := newStage(t)
	s.service.pause = 30 * ms
	s.play(flows.Async{Reply: flows.NoReply}, func(ctx context.Context) {
		if _, err := s.do(ctx, 0, 1, flows.Command, 20*perChunk); err != nil {
			t.Error(err)
		}
	})
	if s.told[flows.Sent] != 20 || s.told[flows.Resent] > 0 {
		t.Errorf("%d chunks were sent, and %d again; want 20, and none", s.told[flows.Sent], s.told[flows.Resent])
	}
}

// An echo is a broker on which whatever has no id, as the frames of streams, comes a
// second time, at once or late.
type echo struct {
	flows.Broker
	kernel *des.Kernel
	late   time.Duration
}

// Connect implements [flows.Broker].
func (e echo) Connect(ctx context.Context, name string) (flows.Conn, error) {
	conn, err := e.Broker.Connect(ctx, name)
	return echoConn{conn, e}, err
}

type echoConn struct {
	flows.Conn
	echo echo
}

// Publish implements [flows.Conn].
func (c echoConn) Publish(ctx context.Context, m flows.Message) error {
	if m.ID == 0 {
		again := m
		again.Body = bytes.Clone(m.Body)
		c.echo.kernel.Go(context.WithoutCancel(ctx), func(ctx context.Context) {
			_ = c.echo.kernel.Sleep(ctx, c.echo.late)
			_ = c.Conn.Publish(ctx, again)
		})
	}
	return c.Conn.Publish(ctx, m)
}

// TestChunksThatComeTwiceLieWithinTheWindow has a slow reader on such a broker.
func TestChunksThatComeTwiceLieWithinTheWindow(t *testing.T) {
	for _, late := range []time.Duration{0, 3 * ms, 30 * ms, 60 * ms} {
		around := func(k *des.Kernel, b flows.Broker) flows.Broker { return echo{b, k, late} }
		pairOver(t, around, nil, broker.Params{}, slowly(t))
	}
}

// slowly has a message of 30 chunks read by one who takes his time.
func slowly(t *testing.T) func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn) {
	return func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn) {
		queue, err := b.Subscribe(ctx, "s", "g")
		if err != nil || b.Ready(ctx) != nil {
			t.Fatal(err)
		}
		size := 30 * perChunk
		sent := k.Go(ctx, func(ctx context.Context) {
			if err := a.Publish(ctx, flows.Message{Subject: "s", ID: 1, Op: 1, Body: payload(1, size)}); err != nil {
				t.Error(err)
			}
		})
		m, err := queue.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		most, read := 0, 0
		for p := make([]byte, perChunk); ; {
			n, err := m.Stream.Read(p)
			if read += n; err != nil {
				break
			}
			_ = k.Sleep(ctx, 5*ms)
			most = max(most, flows.Lying(b))
		}
		if window := c.Window * perChunk; read != size || most > window || most < window/2 {
			t.Errorf("%d bytes were read, and %d lay there at most; want %d, and %d at most", read, most, size, window)
		}
		if n := flows.Lying(b); n != 0 {
			t.Errorf("%d bytes lie there after the end of the body was read", n)
		}
		if err := m.Ack(ctx); err != nil {
			t.Error(err)
		}
		_ = sent(ctx)
		_ = k.Sleep(ctx, 100*ms)
		if n := flows.Lying(b); n != 0 {
			t.Errorf("%d bytes lie there in the end", n)
		}
	}
}

// TestABellNeverWakesLate waits again and again with one bell, of which waits share
// their timer.
func TestABellNeverWakesLate(t *testing.T) {
	k := des.New()
	err := k.Run(t.Context(), func(ctx context.Context) {
		var b flows.Bell
		defer b.Rest()
		for i, c := range []struct {
			limit, ring time.Duration // no ring where it is 0
		}{
			{100 * ms, 10 * ms}, {20 * ms, 0}, {time.Hour, 5 * ms}, {50 * ms, 0}, {-1, 30 * ms}, {10 * ms, 0}, {0, 0},
			{40 * ms, 0}, {40 * ms, 39 * ms}, {40 * ms, 0},
		} {
			begun := k.Now()
			rung := false
			if c.ring > 0 {
				k.Go(ctx, func(ctx context.Context) {
					_ = k.Sleep(ctx, c.ring)
					rung = true
					b.Wake()
				})
			}
			for !rung && (c.limit < 0 || k.Now() < begun+c.limit) {
				if err := b.Wait(ctx, k, begun+c.limit-k.Now()); err != nil {
					t.Error(err)
				}
			}
			want := c.limit
			if c.ring > 0 {
				want = c.ring
			}
			if took := k.Now() - begun; took != want {
				t.Errorf("wait %d took %v; want %v", i, took, want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}
