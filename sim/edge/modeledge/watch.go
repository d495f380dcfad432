package modeledge

import (
	"context"
	"errors"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/edge"
)

// A told is one answer of a watch on its way, or the end of it.
type told struct {
	answer flows.Answer
	err    error
	end    bool
}

// A lane carries what a watch is told to its client. Nothing on it overtakes what
// was sent before, as on a socket.
type lane struct {
	kernel  *des.Kernel
	arrived *des.Queue[told]
	last    time.Duration // when what was sent last arrives
}

// send has t arrive in delay from now, or right after what was sent before.
func (l *lane) send(delay time.Duration, t told) {
	l.last = max(l.last, l.kernel.Now()+delay)
	l.kernel.AfterFunc(l.last-l.kernel.Now(), func() { l.arrived.Put(t) })
}

var errNotWatched = errors.New("only commands and queries can be watched")

// watch makes a call that has many answers.
func (c *caller) watch(ctx context.Context, call flows.Call, yield func(flows.Answer, error) bool) {
	if call.Kind != flows.Command && call.Kind != flows.Query {
		yield(flows.Answer{}, flows.Fail(flows.Rejected, errNotWatched))
		return
	}
	if err := c.reachable(ctx); err != nil {
		yield(flows.Answer{}, err)
		return
	}
	k := c.edge.kernel
	c.edge.count()
	sent, body := leaving(request(call))
	defer body.leave()
	there := c.edge.config.Link(c.link)
	under, cancel := k.WithCancel(c.server.life)
	l := &lane{kernel: k, arrived: des.NewQueue[told](k, "answers of a watch")}
	k.Go(under, func(ctx context.Context) {
		defer cancel()
		err := k.Sleep(ctx, there)
		if err == nil {
			err = c.server.tell(ctx, sent, func(a flows.Answer) { l.send(c.back(), told{answer: a}) })
		}
		switch {
		case c.server.life.Err() != nil:
			err = flows.Unknown(flows.Disconnected, errors.New("the server has closed"))
		case err != nil:
			err = carried(err)
		}
		l.send(c.back(), told{err: err, end: true})
	})
	for {
		t, err := l.arrived.Get(ctx)
		if limit := c.edge.config.MaxBody; err == nil && limit > 0 && int64(len(t.answer.Body)) > limit {
			t.err = answerTooLarge(limit)
		}
		if err == nil && body.broke() != nil {
			t.err = body.broke()
		}
		if err != nil {
			t.err = gaveUp(err)
		}
		if t.err != nil {
			yield(flows.Answer{}, t.err)
		}
		if t.end || t.err != nil || !yield(t.answer, nil) {
			k.AfterFunc(there, cancel) // it takes as long to be heard as the call did
			return
		}
	}
}

// back draws how long an answer takes to arrive, over the balancer if there is
// one.
func (c *caller) back() time.Duration {
	delay := c.edge.config.Link(c.link)
	if len(c.server.backends) > 1 {
		delay += c.edge.config.Inner(c.server.inner)
	}
	return delay
}

// tell works on a watch that has arrived, and gives what the endpoint says to
// send.
func (s *server) tell(ctx context.Context, c flows.Call, send func(flows.Answer)) error {
	if limit := s.edge.config.MaxBody; limit > 0 && max(int64(len(c.Body)), c.StreamBytes) > limit {
		return edge.OverLimit(limit)
	}
	c.Stream = arriving(ctx, c.Stream)
	if c.Kind == flows.Command { // a live query is no work to wait for
		s.calls++
		defer s.done()
	}
	backend, leave, err := s.backend(ctx)
	defer leave()
	if err != nil {
		return err
	}
	for a, err := range backend(ctx, c) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		send(response(a))
	}
	return ctx.Err() // an endpoint that is told to end may do so without a word
}
