package flows

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Service does the work behind every flow. All its instances share one state,
// as services with one database do.
type Service interface {
	// Handle works on r as the given instance, which works on no more requests
	// at once than it has workers; further ones wait their turn. An error means
	// that nobody knows whether the work was done: the request must not be
	// acknowledged. A refusal is an answer with the status Rejected.
	Handle(ctx context.Context, instance int, r Request) (Response, error)
}

// A Request is what the service is asked to do.
type Request struct {
	Kind Kind
	ID   uint64 // of the operation: the command to apply, or to tell the status of
	Key  string
	Body []byte // not kept after Handle has returned

	// Stream, if not nil, yields the body in place of Body, and may have to wait for
	// it: it is read by the activity that handles the request, while that does. An
	// error of it that is not io.EOF says that the rest will not come.
	Stream io.Reader
}

// A Response is what the service answers. Version is that of the key's state
// which a query has read or a command has made: it counts changes from 1, with
// none left out, and is 0 before the first.
type Response struct {
	Status  Status
	Version uint64
	Body    []byte
}

// A Status says how far an answer goes.
type Status uint8

// The statuses of answers.
const (
	Done    Status = iota // the body is the result
	Pending               // there is no result yet
	Denied                // the service says no: the work was not done and will not be
)

// String returns the status as messages carry it.
func (s Status) String() string { return [...]string{"done", "pending", "denied"}[s] }

const (
	requestSubject = "requests"
	eventSubject   = "events"
	serviceGroup   = "services"
)

// consumers is the service behind a broker: competing consumers, one connection
// for each instance and one activity for each of its workers.
type consumers struct {
	env    Env
	conns  []Conn
	subs   []Subscription
	events eventsOf
}

// eventsOf says what the service tells everybody.
type eventsOf uint8

const (
	noEvents eventsOf = iota
	outcomes          // what became of each command that does not want an answer of its own
	changes           // each new value, as a [change]; answers to queries are changes as well
)

// listenConsumers connects and subscribes every instance of the service.
func listenConsumers(ctx context.Context, env Env) (*consumers, error) {
	s := &consumers{env: env}
	for i := range env.Settings.Instances {
		conn, err := env.Broker.Connect(ctx, fmt.Sprintf("service-%d", i))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connect service instance %d: %w", i, err)
		}
		s.conns = append(s.conns, conn)
		sub, err := conn.Subscribe(ctx, requestSubject, serviceGroup)
		if err == nil {
			s.subs = append(s.subs, sub)
			err = conn.Ready(ctx)
		}
		if err != nil {
			s.close()
			return nil, fmt.Errorf("subscribe service instance %d: %w", i, err)
		}
	}
	return s, nil
}

// Serve implements [Server].
func (s *consumers) Serve(ctx context.Context) error {
	var workers []func(context.Context) error
	for i, sub := range s.subs {
		for range s.env.Settings.Workers {
			workers = append(workers, s.env.Runtime.Go(ctx, func(ctx context.Context) { s.work(ctx, i, sub) }))
		}
	}
	joinAll(ctx, workers)
	s.close()
	return nil
}

// work is the life of one worker: take a request, do it, answer, acknowledge.
func (s *consumers) work(ctx context.Context, instance int, sub Subscription) {
	for {
		m, err := sub.Receive(ctx)
		if err != nil {
			return
		}
		if m.Redelivered && s.env.Redelivered != nil {
			s.env.Redelivered(m.Op)
		}
		resp, err := s.env.Service.Handle(ctx, instance, Request{
			Kind: m.Kind, ID: m.Op, Key: m.Key, Body: m.Body, Stream: m.Stream,
		})
		if err != nil {
			s.env.Log.Warn("request left unacknowledged", "op", m.Op, "error", err)
			leave(m)
			continue // it comes again where the broker can do that
		}
		s.tell(ctx, instance, m, resp)
		// The work is done whether or not its answer could be sent: delivering the
		// request again would do it twice and help nobody.
		if err := m.Ack(ctx); err != nil {
			s.env.Log.Warn("request not acknowledged", "op", m.Op, "error", err)
		}
	}
}

// leave lets go of the body of a message that will not be dealt with here, if it
// still comes.
func leave(m Message) {
	if body, ok := m.Stream.(io.Closer); ok {
		_ = body.Close()
	}
}

// tell sends what became of a request to those who are to know. The client
// comes first: it waits for nothing else, and an event may have to be confirmed.
func (s *consumers) tell(ctx context.Context, instance int, m Message, resp Response) {
	news := Message{Op: m.Op, Kind: m.Kind, Status: resp.Status, Body: resp.Body}
	if s.events == changes && m.Kind == Query {
		news.Body = change{version: resp.Version, value: resp.Body}.bytes()
	}
	if m.ReplyTo != "" {
		answer := news
		answer.Subject, answer.Correlation = m.ReplyTo, m.ID
		s.send(ctx, instance, answer)
	}
	if m.Kind != Command {
		return
	}
	news.Subject, news.Kind = eventSubject, Event
	switch {
	case s.events == outcomes && m.ReplyTo == "":
		s.send(ctx, instance, news)
	case s.events == changes && resp.Status == Done:
		news.Key, news.Body = m.Key, change{version: resp.Version, value: m.Body}.bytes()
		s.send(ctx, instance, news)
	}
}

// send publishes an answer or an event.
func (s *consumers) send(ctx context.Context, instance int, m Message) {
	if err := s.conns[instance].Publish(ctx, m); err != nil {
		s.env.Log.Warn("answer not sent", "op", m.Op, "kind", m.Kind, "error", err)
	}
}

func (s *consumers) close() {
	for _, c := range s.conns {
		if err := c.Close(); err != nil {
			s.env.Log.Warn("service connection not closed", "error", err)
		}
	}
	s.conns = nil
}

// joinAll waits for activities that end when ctx is done.
func joinAll(ctx context.Context, waits []func(context.Context) error) {
	for _, wait := range waits {
		_ = wait(context.WithoutCancel(ctx)) // it ends by itself, and the waiting must not end first
	}
}

// serveAll runs several servers as one. The first to return with an error has
// its error returned, once all have ended.
func serveAll(ctx context.Context, rt Runtime, servers ...Server) error {
	errs := make([]error, len(servers))
	waits := make([]func(context.Context) error, len(servers))
	for i, s := range servers {
		waits[i] = rt.Go(ctx, func(ctx context.Context) { errs[i] = s.Serve(ctx) })
	}
	joinAll(ctx, waits)
	return errors.Join(errs...)
}
