package hops

import (
	"context"
	"iter"

	"flowbench/flows"
)

// Around returns the flow with stamps at all of its ports. Everything that the flow
// says names the trace that it belongs to.
func (r *Recorder) Around(f flows.Flow) flows.Flow {
	s := stampedFlow{f, r}
	if p, ok := f.(flows.Prioritizer); ok {
		return struct {
			stampedFlow
			flows.Prioritizer
		}{s, p}
	}
	return s
}

type stampedFlow struct {
	flows.Flow
	r *Recorder
}

// Listen implements [flows.Flow].
func (f stampedFlow) Listen(ctx context.Context, env flows.Env) (flows.Server, error) {
	return f.Flow.Listen(ctx, f.around(env))
}

// Dial implements [flows.Flow].
func (f stampedFlow) Dial(ctx context.Context, env flows.Env, id int) (flows.Client, error) {
	return f.Flow.Dial(ctx, f.around(env), id)
}

func (f stampedFlow) around(env flows.Env) flows.Env {
	if env.Broker != nil {
		env.Broker = stampedBroker{env.Broker, f.r}
	}
	if env.Edge != nil {
		env.Edge = stampedEdge{env.Edge, f.r}
	}
	env.Service = stampedService{env.Service, f.r}
	return env
}

type stampedBroker struct {
	flows.Broker
	r *Recorder
}

// Connect implements [flows.Broker].
func (b stampedBroker) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c, err := b.Broker.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return stampedConn{c, b.r, b.r.named(name), b.Traits().Has(flows.Confirms)}, nil
}

type stampedConn struct {
	flows.Conn
	r        *Recorder
	party    uint16
	confirms bool
}

// Publish implements [flows.Conn].
func (c stampedConn) Publish(ctx context.Context, m flows.Message) error {
	if m.Op == 0 {
		return c.Conn.Publish(ctx, m)
	}
	rec := c.r.find(m.Op)
	m.Trace = c.r.traceparent(m.Op, rec != nil)
	if rec == nil {
		return c.Conn.Publish(ctx, m)
	}
	s := stampOf(m)
	s.point, s.party = published, c.party
	c.r.add(rec, s)
	err := c.Conn.Publish(ctx, m)
	if err == nil && c.confirms && s.class == request && !s.poll {
		s.point = confirmed
		c.r.add(rec, s)
	}
	return err
}

// stampOf returns what a stamp says of a message. The identities of the two sides
// are the same, whatever their brokers make of them.
func stampOf(m flows.Message) stamp {
	s := stamp{poll: m.Kind == flows.StatusOf, seq: m.ID}
	switch {
	case m.Kind == flows.Event:
		s.class, s.seq = event, m.Op
	case m.Correlation != 0:
		s.class, s.seq = answer, m.Correlation
	}
	return s
}

// Subscribe implements [flows.Conn].
func (c stampedConn) Subscribe(ctx context.Context, subject, group string) (flows.Subscription, error) {
	s, err := c.Conn.Subscribe(ctx, subject, group)
	if err != nil {
		return nil, err
	}
	return stampedSubscription{s, c}, nil
}

// Inbox implements [flows.Conn].
func (c stampedConn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	address, s, err := c.Conn.Inbox(ctx)
	if err != nil {
		return "", nil, err
	}
	return address, stampedSubscription{s, c}, nil
}

type stampedSubscription struct {
	flows.Subscription
	conn stampedConn
}

// Receive implements [flows.Subscription].
func (s stampedSubscription) Receive(ctx context.Context) (flows.Message, error) {
	m, err := s.Subscription.Receive(ctx)
	if err != nil || m.Err != nil {
		return m, err
	}
	// An event reaches everybody. Who else hears of a command is not on its way.
	if rec := s.conn.r.find(m.Op); rec != nil && (m.Kind != flows.Event || s.conn.party == rec.client) {
		st := stampOf(m)
		st.point, st.party = received, s.conn.party
		s.conn.r.add(rec, st)
	}
	return m, nil
}

type stampedEdge struct {
	flows.Edge
	r *Recorder
}

// Listen implements [flows.Edge].
func (e stampedEdge) Listen(ctx context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	stamped := make([]flows.Endpoint, len(backends))
	for i, b := range backends {
		stamped[i] = e.endpoint(e.r.partyOf(name, i), b)
	}
	return e.Edge.Listen(ctx, name, stamped...)
}

func (e stampedEdge) endpoint(who uint16, b flows.Endpoint) flows.Endpoint {
	return func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		rec := e.r.find(c.ID)
		if rec == nil {
			return b(ctx, c)
		}
		s := stamp{party: who, point: served, poll: c.Kind == flows.StatusOf}
		e.r.add(rec, s)
		s.point = replied
		return e.r.each(rec, s, b(ctx, c))
	}
}

// each stamps every answer of a sequence.
func (r *Recorder) each(
	rec *record, s stamp, answers iter.Seq2[flows.Answer, error],
) iter.Seq2[flows.Answer, error] {
	return func(yield func(flows.Answer, error) bool) {
		answers(func(a flows.Answer, err error) bool {
			r.add(rec, s)
			return yield(a, err)
		})
	}
}

// Dial implements [flows.Edge].
func (e stampedEdge) Dial(ctx context.Context, name string, id int) (flows.Caller, error) {
	c, err := e.Edge.Dial(ctx, name, id)
	if err != nil {
		return nil, err
	}
	return stampedCaller{c, e.r, e.r.partyOf(clientRole, id)}, nil
}

type stampedCaller struct {
	flows.Caller
	r     *Recorder
	party uint16
}

// Call implements [flows.Caller].
func (c stampedCaller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	if call.ID == 0 {
		return c.Caller.Call(ctx, call)
	}
	rec := c.r.find(call.ID)
	call.Trace = c.r.traceparent(call.ID, rec != nil)
	if rec == nil {
		return c.Caller.Call(ctx, call)
	}
	s := stamp{party: c.party, point: called, poll: call.Kind == flows.StatusOf}
	c.r.add(rec, s)
	s.point = returned
	return c.r.each(rec, s, c.Caller.Call(ctx, call))
}

type stampedService struct {
	flows.Service
	r *Recorder
}

// Handle implements [flows.Service].
func (s stampedService) Handle(ctx context.Context, instance int, q flows.Request) (flows.Response, error) {
	resp, err := s.Service.Handle(ctx, instance, q)
	if err == nil {
		s.r.service(stamp{point: worked, no: resp.Status == flows.Denied}, instance, q)
	}
	return resp, err
}

// Begun notes that a worker of an instance of the service has taken up a request.
func (r *Recorder) Begun(instance int, q flows.Request) {
	r.service(stamp{point: begun}, instance, q)
}

func (r *Recorder) service(s stamp, instance int, q flows.Request) {
	if rec := r.find(q.ID); rec != nil {
		s.party, s.poll = r.partyOf(serviceRole, instance), q.Kind == flows.StatusOf
		r.add(rec, s)
	}
}
