package flows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/iotest"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

func TestAServiceBeginsBeforeTheLastChunkIsSent(t *testing.T) {
	s := newStage(t)
	s.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		if _, err := s.do(ctx, 0, 1, flows.Command, large); err != nil {
			t.Error(err)
		}
	})
	if got := s.service.sentBefore; got == 0 || got > s.carriage.Window {
		t.Errorf("%d chunks were sent before the first byte was read; want no more than a window", got)
	}
}

// TestARequestOfACrashedInstanceIsStreamedFromTheStart lets the first instances die
// half way through the body.
func TestARequestOfACrashedInstanceIsStreamedFromTheStart(t *testing.T) {
	for _, flow := range []flows.Flow{
		flows.Async{Reply: flows.NoReply}, flows.Async{Reply: flows.ReplyTo}, flows.Async{Reply: flows.PollReply},
	} {
		s := newStage(t)
		s.params["ack_wait_ms"] = "100"
		s.service.crashes = 2
		s.play(flow, func(ctx context.Context) {
			op, err := s.do(ctx, 0, 1, flows.Command, large)
			if err != nil {
				t.Errorf("%s: %v", flow.Spec().Name, err)
			}
			_ = s.kernel.Sleep(ctx, 100*ms)
			if !bytes.Equal(s.service.applied[1], op.Body) || s.service.times != 1 || s.service.crashes != 0 {
				t.Errorf("%s: applied %d times, of %d bytes",
					flow.Spec().Name, s.service.times, len(s.service.applied[1]))
			}
			if n, _, err := s.session.Backlog(ctx); n != 0 || err != nil {
				t.Errorf("%s: %d messages are left at the broker, %v", flow.Spec().Name, n, err)
			}
		})
	}
}

// TestABodyFromAReaderCannotBeginAgain is the same behind a front end that streams:
// the request fails clearly, and is not delivered for ever.
func TestABodyFromAReaderCannotBeginAgain(t *testing.T) {
	s := newStage(t)
	s.params["ack_wait_ms"] = "100"
	s.service.crashes = 1
	s.play(flows.Proxy{Mode: flows.ProxySync}, func(ctx context.Context) {
		_, err := s.do(ctx, 0, 1, flows.Command, large)
		if err == nil {
			t.Error("it is told to be done")
		}
		_ = s.kernel.Sleep(ctx, time.Second)
		if n, _, err := s.session.Backlog(ctx); n != 0 || err != nil {
			t.Errorf("%d messages are left at the broker, %v", n, err)
		}
	})
	if s.service.lost != 1 || s.service.times != 0 {
		t.Errorf("the service lost %d bodies and applied %d commands; want 1, 0", s.service.lost, s.service.times)
	}
}

// TestASenderThatDiesFailsItsRequestClearly closes the client half way, and times
// out another.
func TestASenderThatDiesFailsItsRequestClearly(t *testing.T) {
	for _, how := range []string{"closes", "has no patience", "is cut off for good"} {
		t.Run(how, func(t *testing.T) {
			s := newStage(t)
			s.service.pause = ms // so that it takes more than a hundred of them
			switch how {
			case "has no patience":
				s.settings.Timeout = 60 * ms
			case "is cut off for good":
				s.faults = []modelbroker.Fault{{Kind: modelbroker.Cut, Conn: "client-0", At: 60 * ms, For: time.Hour}}
			}
			s.play(flows.Async{Reply: flows.NoReply}, func(ctx context.Context) {
				ended := s.kernel.Go(ctx, func(ctx context.Context) {
					_, err := s.do(ctx, 0, 1, flows.Command, large)
					if o, _ := flows.OutcomeOf(err); o != flows.Undecided {
						t.Errorf("the client ends with %v; want unknown", err)
					}
				})
				if how == "closes" {
					_ = s.kernel.Sleep(ctx, 60*ms)
					_ = s.clients[0].Close()
				}
				_ = ended(ctx)
				_ = s.kernel.Sleep(ctx, time.Second)
				if n, _, err := s.session.Backlog(ctx); n != 0 || err != nil {
					t.Errorf("%d messages are left at the broker, %v", n, err)
				}
				s.service.pause = 0
				if _, err := s.do(ctx, 1, 2, flows.Command, large); err != nil {
					t.Errorf("the next command: %v", err)
				}
			})
			if s.service.lost != 1 || s.service.times != 1 || s.told[flows.Abandoned] == 0 {
				t.Errorf("the service lost %d and applied %d; %v", s.service.lost, s.service.times, s.told)
			}
		})
	}
}

// TestAStreamOutlastsATroubledNetwork cuts, slows and repeats in the middle of many
// streams.
func TestAStreamOutlastsATroubledNetwork(t *testing.T) {
	for name, fault := range map[string]modelbroker.Fault{
		"everybody is cut off":    {Kind: modelbroker.Cut, At: 30 * ms, For: 100 * ms},
		"the service is cut off":  {Kind: modelbroker.Cut, Conn: "service-0", At: 30 * ms, For: 100 * ms},
		"the client is cut off":   {Kind: modelbroker.Cut, Conn: "client-0", At: 30 * ms, For: 100 * ms},
		"messages are lost":       {Kind: modelbroker.Lose, Share: 0.2, At: 30 * ms, For: 100 * ms},
		"links are slow":          {Kind: modelbroker.Slow, Delay: 50 * ms, At: 30 * ms, For: 300 * ms},
		"messages come twice":     {Kind: modelbroker.Repeat, Share: 1, At: 0, For: time.Second},
		"messages are sent twice": {Kind: modelbroker.Resend, Share: 1, At: 0, For: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.params["durable"] = "yes"
			s.faults = []modelbroker.Fault{fault}
			s.service.pause = ms
			s.settings.Timeout = 5 * time.Second
			accepted := make(map[uint64]bool)
			s.play(flows.Async{Reply: flows.NoReply}, func(ctx context.Context) {
				var waits []func(context.Context) error
				for id := uint64(1); id <= 6; id++ {
					waits = append(waits, s.kernel.Go(ctx, func(ctx context.Context) {
						_, err := s.do(ctx, int(id)%clients, id, flows.Command, large)
						accepted[id] = err == nil
					}))
				}
				for _, wait := range waits {
					_ = wait(ctx)
				}
				_ = s.kernel.Sleep(ctx, time.Second)
			})
			taken := 0
			for id, ok := range accepted {
				if ok {
					taken++
				}
				if ok && !bytes.Equal(s.service.applied[id], payload(id, large)) {
					t.Errorf("command %d was accepted and not applied, or otherwise", id)
				}
			}
			if taken < 4 {
				t.Errorf("%d of 6 commands were accepted, %v", taken, s.told)
			}
		})
	}
}

// TestASmallRequestDoesNotWaitForALargeOne sends small ones while a large request
// goes one way and while its answer goes the other.
func TestASmallRequestDoesNotWaitForALargeOne(t *testing.T) {
	s := newStage(t)
	s.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		over := false
		ended := s.kernel.Go(ctx, func(ctx context.Context) {
			if _, err := s.do(ctx, 0, 1, flows.Command, 3*large); err != nil {
				t.Error(err)
			}
			over = true
		})
		id := uint64(2)
		for ; !over; id++ {
			begin := s.kernel.Now()
			if _, err := s.do(ctx, 0, id, flows.Command, 100); err != nil {
				t.Error(err)
			}
			if took := s.kernel.Now() - begin; took > 3*ms {
				t.Errorf("at %v a small one took %v", begin, took)
			}
		}
		_ = ended(ctx)
		if id < 20 {
			t.Errorf("there was time for %d small ones only", id)
		}
	})
}

// TestAPartyHoldsNoMoreThanItsBuffer has one service read many streams at once, and
// one client get many answers.
func TestAPartyHoldsNoMoreThanItsBuffer(t *testing.T) {
	pair(t, nil, broker.Params{}, func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn) {
		queue, err := b.Subscribe(ctx, "s", "g")
		if err != nil {
			t.Fatal(err)
		}
		address, inbox, err := b.Inbox(ctx)
		if err != nil || b.Ready(ctx) != nil {
			t.Fatal(err)
		}
		var waits []func(context.Context) error
		for id := uint64(1); id <= 10; id++ {
			waits = append(waits, k.Go(ctx, func(ctx context.Context) {
				m := flows.Message{Subject: "s", ID: id, Op: id, Body: payload(id, 5*perChunk)}
				if err := a.Publish(ctx, m); err != nil {
					t.Error(err)
				}
				m.Subject, m.ID, m.Correlation = address, 0, id
				if err := a.Publish(ctx, m); err != nil {
					t.Error(err)
				}
			}), k.Go(ctx, func(ctx context.Context) {
				m, err := queue.Receive(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				body := make([]byte, 0, 5*perChunk)
				for p := make([]byte, 100); ; {
					n, err := m.Stream.Read(p)
					body = append(body, p[:n]...)
					if err != nil {
						break
					}
					_ = k.Sleep(ctx, ms)
				}
				if !bytes.Equal(body, payload(m.Op, 5*perChunk)) || m.Ack(ctx) != nil {
					t.Errorf("message %d: %d bytes came, or others", m.Op, len(body))
				}
			}), k.Go(ctx, func(ctx context.Context) {
				m, err := inbox.Receive(ctx)
				if err != nil || m.Err != nil || !bytes.Equal(m.Body, payload(m.Op, 5*perChunk)) {
					t.Errorf("answer %d: %d bytes came, or others, %v, %v", m.Op, len(m.Body), err, m.Err)
				}
			}))
		}
		for _, wait := range waits {
			_ = wait(ctx)
		}
		most, now := flows.Held(b)
		if most > c.Buffer || most < c.Buffer/2 || now != 0 {
			t.Errorf("held %d bytes at most and %d in the end; want %d at most, and 0", most, now, c.Buffer)
		}
	})
}

// TestAnAnswerThatIsTooLargeIsRefused sends more than the receiver's buffer.
func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	pair(t, nil, broker.Params{}, func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn) {
		address, inbox, err := b.Inbox(ctx)
		if err != nil || b.Ready(ctx) != nil {
			t.Fatal(err)
		}
		for id, m := range []flows.Message{
			{Body: make([]byte, 2*c.Buffer)}, {Stream: bytes.NewReader(make([]byte, 2*c.Buffer))},
		} {
			m.Subject, m.Correlation, m.Op = address, uint64(id)+1, uint64(id)+1
			err = a.Publish(ctx, m)
			if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.TooLarge && m.Stream == nil {
				t.Errorf("the sender is told %v; want that it is too large", err)
			}
			m, err := inbox.Receive(ctx)
			_, class := flows.OutcomeOf(m.Err)
			if err != nil || class != flows.TooLarge || m.Correlation != uint64(id)+1 {
				t.Errorf("the receiver is told %v, %v; want that it is too large", err, m.Err)
			}
		}
	})
}

// TestAMessageThatReachesNobodyIsNotWaitedFor has a broker bring requests back.
func TestAMessageThatReachesNobodyIsNotWaitedFor(t *testing.T) {
	params := broker.Params{"delivery": "at-most-once", "confirm": "none"}
	pair(t, nil, params, func(ctx context.Context, k *des.Kernel, _ flows.Carriage, a, _ flows.Conn) {
		address, inbox, err := a.Inbox(ctx)
		if err != nil || a.Ready(ctx) != nil {
			t.Fatal(err)
		}
		begin := k.Now()
		err = a.Publish(ctx, flows.Message{Subject: "nowhere", ID: 1, ReplyTo: address, Body: payload(1, large)})
		if o, class := flows.OutcomeOf(err); o != flows.Failed || class != flows.NoResponders || k.Now()-begin > 10*ms {
			t.Errorf("after %v: %v; want failed, no responders", k.Now()-begin, err)
		}
		if m, err := inbox.Receive(ctx); err != nil || m.Err == nil || m.Correlation != 1 {
			t.Errorf("the inbox yields %+v, %v; want the notice", m, err)
		}
	})
}

// TestADeliveryThatWasDealtWithElsewhereIsAcknowledged delivers one message twice.
func TestADeliveryThatWasDealtWithElsewhereIsAcknowledged(t *testing.T) {
	faults := []modelbroker.Fault{{Kind: modelbroker.Repeat, Share: 1, For: time.Hour}}
	pair(t, faults, broker.Params{}, func(ctx context.Context, k *des.Kernel, _ flows.Carriage, a, b flows.Conn) {
		queue, err := b.Subscribe(ctx, "s", "g")
		if err != nil || b.Ready(ctx) != nil {
			t.Fatal(err)
		}
		k.Go(ctx, func(ctx context.Context) {
			if err := a.Publish(ctx, flows.Message{Subject: "s", ID: 1, Op: 1, Body: payload(1, large)}); err != nil {
				t.Error(err)
			}
		})
		var got [2]flows.Message
		for i := range got {
			if got[i], err = queue.Receive(ctx); err != nil {
				t.Fatal(err)
			}
		}
		body, err := readAll(got[0])
		if err != nil || !bytes.Equal(body, payload(1, large)) || got[0].Ack(ctx) != nil {
			t.Errorf("the first has %d bytes, %v", len(body), err)
		}
		_ = k.Sleep(ctx, 10*ms)
		if _, err := readAll(got[1]); !isDealt(err) {
			t.Errorf("the second ends with %v; want that it is dealt with", err)
		}
		_ = k.Sleep(ctx, 10*ms)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestAMessageIsTakenWhenItIsAcknowledgedAndNotBefore reads one to the end and
// acknowledges it too late, leaves it half way, and deals with it at last.
func TestAMessageIsTakenWhenItIsAcknowledgedAndNotBefore(t *testing.T) {
	params := broker.Params{"ack_wait_ms": "50"}
	pair(t, nil, params, func(ctx context.Context, k *des.Kernel, _ flows.Carriage, a, b flows.Conn) {
		queue, err := b.Subscribe(ctx, "s", "g")
		if err != nil || b.Ready(ctx) != nil {
			t.Fatal(err)
		}
		taken := false
		k.Go(ctx, func(ctx context.Context) {
			if err := a.Publish(ctx, flows.Message{Subject: "s", ID: 1, Op: 1, Body: payload(1, large)}); err != nil {
				t.Error(err)
			}
			taken = true
		})
		for attempt := range 3 {
			m, err := queue.Receive(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if attempt == 1 {
				_, err = m.Stream.Read(make([]byte, perChunk/2))
				if err = errors.Join(err, m.Stream.(io.Closer).Close()); err != nil {
					t.Error(err)
				}
				if _, now := flows.Held(b); now != 0 {
					t.Errorf("%d bytes are held for a message that was left", now)
				}
				continue
			}
			if body, err := readAll(m); err != nil || !bytes.Equal(body, payload(1, large)) {
				t.Errorf("attempt %d: %d bytes, %v", attempt, len(body), err)
			}
			if attempt == 0 {
				_ = k.Sleep(ctx, 100*ms)
			}
			_ = k.Sleep(ctx, ms)
			if taken {
				t.Fatalf("attempt %d: it is taken before it was acknowledged", attempt)
			}
			if err := m.Ack(ctx); (err == nil) != (attempt == 2) {
				t.Errorf("attempt %d: acknowledged with %v", attempt, err)
			}
		}
		_ = k.Sleep(ctx, ms)
		if !taken {
			t.Error("it was acknowledged, and it is not taken")
		}
	})
}

// TestAnAnswerToNobodyIsGivenUp sends a large answer to somebody who has gone.
func TestAnAnswerToNobodyIsGivenUp(t *testing.T) {
	pair(t, nil, broker.Params{}, func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn) {
		address, _, err := b.Inbox(ctx)
		if err != nil || b.Ready(ctx) != nil || b.Close() != nil {
			t.Fatal(err)
		}
		begin := k.Now()
		err = a.Publish(ctx, flows.Message{Subject: address, Correlation: 1, Op: 1, Body: payload(1, large)})
		o, class := flows.OutcomeOf(err)
		if took := k.Now() - begin; o != flows.Undecided || class != flows.Timeout || took > c.Abandon+10*ms {
			t.Errorf("after %v: %v; want unknown, timeout", took, err)
		}
	})
}

// TestABodyThatBreaksOffIsNoShorterBody has the source of a stream fail as broken
// bodies of the net do.
func TestABodyThatBreaksOffIsNoShorterBody(t *testing.T) {
	for _, broken := range []error{io.ErrUnexpectedEOF, fmt.Errorf("read the body: %w", io.EOF), errCrash} {
		pair(t, nil, broker.Params{}, func(ctx context.Context, k *des.Kernel, _ flows.Carriage, a, b flows.Conn) {
			queue, err := b.Subscribe(ctx, "s", "g")
			if err != nil || b.Ready(ctx) != nil {
				t.Fatal(err)
			}
			k.Go(ctx, func(ctx context.Context) {
				source := io.MultiReader(bytes.NewReader(payload(1, large/3)), iotest.ErrReader(broken))
				err := a.Publish(ctx, flows.Message{Subject: "s", ID: 1, Op: 1, Stream: source})
				if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.Disconnected {
					t.Errorf("%v: the sender is told %v; want unknown, disconnected", broken, err)
				}
			})
			m, err := queue.Receive(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := readAll(m); !errors.Is(err, flows.ErrStreamLost) || m.Ack(ctx) != nil {
				t.Errorf("%v: the receiver reads %d bytes and %v; want that the rest is lost", broken, len(body), err)
			}
		})
	}
}

// pair runs body with two connections to a broker, between which streams go, with a
// small buffer, and looks for what is left.
func pair(
	t *testing.T, faults []modelbroker.Fault, p broker.Params,
	body func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn),
) {
	t.Helper()
	same := func(_ *des.Kernel, b flows.Broker) flows.Broker { return b }
	pairOver(t, same, faults, p, body)
}

// pairOver is pair with another broker around the broker.
func pairOver(
	t *testing.T, around func(*des.Kernel, flows.Broker) flows.Broker, faults []modelbroker.Fault, p broker.Params,
	body func(ctx context.Context, k *des.Kernel, c flows.Carriage, a, b flows.Conn),
) {
	t.Helper()
	k := des.New()
	d := modelbroker.Driver(k, 1, faults...)
	params := d.Defaults()
	for name, value := range p {
		params[name] = value
	}
	c := carriage()
	c.Buffer = 10*perChunk + 500
	err := k.Run(t.Context(), func(ctx context.Context) {
		session, err := d.Open(ctx, broker.Config{
			Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {},
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		var conns []flows.Conn
		for i := range 2 {
			conn, err := flows.StreamBroker(k, around(k, session), c).Connect(ctx, fmt.Sprint("party-", i))
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		body(ctx, k, c, conns[0], conns[1])
		_ = k.Sleep(ctx, time.Second)
		for i, conn := range conns {
			if out, in, _ := flows.Streams(conn); out != 0 || in != 0 {
				t.Errorf("party %d has %d streams out and %d in left", i, out, in)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if _, _, active := flows.Streams(conn); active != 0 {
				t.Errorf("party %d has %d activities left", i, active)
			}
		}
		if n, ok, err := session.Backlog(ctx); ok && n != 0 || err != nil {
			t.Errorf("%d messages are left at the broker, %v", n, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
