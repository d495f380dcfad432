package flows_test

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"flowbench/flows"
	"flowbench/flows/transcript"
)

const balancerName = "balancer"

// recordedEdge is an edge whose callers and endpoints note what they say.
type recordedEdge struct {
	flows.Edge

	r *recorder
}

// A part is what an edge listens for under one name.
type part struct {
	name     string
	backends []string
	flights  []*flight // calls that no backend has got yet
}

// A flight is a call under way. The model of the edge delays all calls alike, so
// that of two calls alike the first made is the first that arrives.
type flight struct {
	call   flows.Call
	client string
	over   bool // the client has stopped waiting
}

// Listen implements [flows.Edge].
func (e recordedEdge) Listen(
	ctx context.Context, name string, backends ...flows.Endpoint,
) (flows.Server, error) {
	p := &part{name: name}
	e.r.parts = append(e.r.parts, p)
	recorded := make([]flows.Endpoint, len(backends))
	for i, backend := range backends {
		p.backends = append(p.backends, e.r.backendName(name, i, len(backends)))
		recorded[i] = e.r.endpoint(p, i, backend)
	}
	return e.Edge.Listen(ctx, name, recorded...)
}

// backendName returns the name under which a backend speaks to the broker, if it
// does, so that it is one participant and not two.
func (r *recorder) backendName(part string, i, of int) string {
	if of == 1 && r.conns[part] != nil {
		return part
	}
	return fmt.Sprintf("%s-%d", part, i)
}

// door returns who takes the calls that clients make to p.
func (r *recorder) door(p *part) string {
	switch {
	case len(p.backends) == 1:
		return p.backends[0]
	case slices.ContainsFunc(r.parts, func(o *part) bool { return o != p && len(o.backends) > 1 }):
		return balancerName + "-" + p.name
	}
	return balancerName
}

// endpoint returns backend i of p with a record of what it hears and says.
func (r *recorder) endpoint(p *part, i int, backend flows.Endpoint) flows.Endpoint {
	return func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			f, name := p.arrived(c), p.backends[i]
			caller := f.client
			if len(p.backends) > 1 {
				caller = r.door(p)
				r.tell(caller, name, asked(c))
			}
			for a, err := range backend(ctx, c) {
				form := transcript.Reply
				if f.over || r.dead == name {
					form = transcript.LostReply
				}
				r.step(form, name, caller, answered(f.call, a, err))
				if !yield(a, err) {
					return
				}
			}
		}
	}
}

// arrived returns the flight of a call that has reached a backend.
func (p *part) arrived(c flows.Call) *flight {
	i := slices.IndexFunc(p.flights, func(f *flight) bool {
		return f.call.ID == c.ID && f.call.Verb == c.Verb && (c.Verb == flows.Submit || f.call.Kind == c.Kind)
	})
	if i < 0 {
		panic(fmt.Sprintf("a call arrived that nobody made: %+v", c))
	}
	f := p.flights[i]
	p.flights = slices.Delete(p.flights, i, i+1)
	return f
}

// asked says in words what a call asks.
func asked(c flows.Call) string {
	what := fmt.Sprintf("%v %d", c.Kind, c.ID)
	if c.Verb == flows.Submit {
		what = fmt.Sprintf("%v %d", flows.Command, c.ID)
	}
	switch {
	case c.Verb == flows.Submit:
		return "submit " + what
	case c.Verb == flows.Watch:
		return "watch " + what
	case c.Kind == flows.StatusOf:
		return fmt.Sprintf("fetch status of command %d", c.ID)
	}
	return "fetch answer to " + what
}

// answered says in words what one answer to a call tells.
func answered(c flows.Call, a flows.Answer, err error) string {
	kind := c.Kind
	if c.Verb == flows.Submit {
		kind = flows.Command
	}
	text := answerTo(kind, c.ID)
	switch {
	case err != nil:
		return "no " + text + ": " + outcomeOf(err)
	case a.Status == flows.Pending && a.RetryAfter > 0:
		return fmt.Sprintf("%s: %v, ask again in %s", text, a.Status, inWords(a.RetryAfter))
	}
	return fmt.Sprintf("%s: %v", text, a.Status)
}

// Dial implements [flows.Edge].
func (e recordedEdge) Dial(ctx context.Context, name string, id int) (flows.Caller, error) {
	caller, err := e.Edge.Dial(ctx, name, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(e.r.parts, func(p *part) bool { return p.name == name })
	return recordedCaller{caller, e.r, e.r.parts[i], fmt.Sprintf("client-%d", id)}, nil
}

type recordedCaller struct {
	flows.Caller

	r    *recorder
	part *part
	name string
}

// Call implements [flows.Caller].
func (c recordedCaller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	return func(yield func(flows.Answer, error) bool) {
		door, balanced := c.r.door(c.part), len(c.part.backends) > 1
		if c.r.trouble == nobody && c.r.on {
			c.r.lose(c.name, door, asked(call))
			yield(flows.Answer{}, flows.Fail(flows.Refused, errTrouble))
			return
		}
		c.r.tell(c.name, door, asked(call))
		f := &flight{call: call, client: c.name}
		c.part.flights = append(c.part.flights, f)
		defer func() { f.over = true }()
		for a, err := range c.Caller.Call(ctx, call) {
			if balanced && (err == nil || ctx.Err() == nil) { // else the client has made the error itself
				c.r.reply(door, c.name, answered(call, a, err))
			}
			if !yield(a, err) {
				return
			}
		}
	}
}
