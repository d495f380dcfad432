package graphqledge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/graph-gophers/graphql-go"

	"flowbench/flows"
	"flowbench/sim/edge/socket"
)

// newSockets returns what serves a schema over sockets. A client must begin
// within greeting.
func newSockets(
	schema *graphql.Schema, b socket.Bounds, greeting time.Duration, log *slog.Logger,
) *socket.Server[string] {
	return socket.NewServer(socket.Protocol[string]{
		Subprotocol: subprotocol, Unacceptable: codeUnacceptable,
		Open: func(s *socket.Session[string]) func([]byte) {
			o := &session{Session: s, schema: schema, begun: make(chan struct{})}
			s.Go(func(ctx context.Context) { o.awaitInit(ctx, greeting) })
			return o.take
		},
	}, b, log)
}

// A session is the server's end of a socket.
type session struct {
	*socket.Session[string]
	schema *graphql.Schema
	begun  chan struct{} // closed once the client has begun
	ready  bool          // that is so; only for who takes messages
}

// awaitInit drops a client that does not begin in time.
func (s *session) awaitInit(ctx context.Context, within time.Duration) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.begun:
	case <-ctx.Done():
	case <-timer.C:
		s.Drop(codeInitTimeout, "Connection initialisation timeout")
	}
}

// take acts on a message.
func (s *session) take(text []byte) {
	m, err := readMessage(text)
	if err != nil {
		s.Drop(codeBadRequest, err.Error())
		return
	}
	switch m.Type {
	case typeInit:
		if s.ready {
			s.Drop(codeTooManyInits, "Too many initialisation requests")
			return
		}
		s.ready = true
		close(s.begun)
		s.Send([]byte(`{"type":"` + typeAck + `"}`))
	case typePing:
		s.pong(m)
	case typeSubscribe:
		s.subscribe(m)
	case typeComplete:
		s.TakeBack(m.ID)
	}
}

// pong answers a ping, with what came with it.
func (s *session) pong(m message) {
	b := []byte(`{"type":"` + typePong + `"`)
	if len(m.Payload) > 0 {
		b = append(append(b, `,"payload":`...), m.Payload...)
	}
	s.Send(append(b, '}'))
}

// subscribe begins an operation.
func (s *session) subscribe(m message) {
	if !s.ready {
		s.Drop(codeUnauthorized, "Unauthorized")
		return
	}
	q, err := m.operation()
	if err != nil {
		s.Drop(codeBadRequest, err.Error())
		return
	}
	id, _ := json.Marshal(m.ID) // a string always encodes
	err = s.Run(m.ID, func(ctx context.Context, under *socket.Call[string]) { s.operate(ctx, under, id, q) })
	switch {
	case errors.Is(err, socket.ErrTaken):
		s.Drop(codeAlreadyExists, "Subscriber already exists")
	case err != nil:
		s.Send(faultMessage(id, err))
	}
}

// operate runs an operation and sends what comes of it.
func (s *session) operate(ctx context.Context, under *socket.Call[string], id []byte, q request) {
	o := &operation{call: under, run: s.Go}
	told := traced(context.WithValue(ctx, operationKey{}, o), q.Extensions.Trace)
	responses, err := s.schema.Subscribe(told, q.Query, q.OperationName, q.Variables)
	if err != nil {
		s.end(under, faultMessage(id, flows.Fail(flows.Internal, err)))
		return
	}
	for r := range responses {
		response := r.(*graphql.Response)
		if len(response.Data) == 0 {
			s.end(under, refusal(id, o, response))
			return
		}
		if err := s.next(ctx, under, id, o, response); err != nil {
			s.end(under, faultMessage(id, err))
			return
		}
	}
	switch {
	case ctx.Err() != nil: // what the resolver has to say is not waited for
		s.end(under, faultMessage(id, flows.Unknown(flows.Canceled, ctx.Err())))
	case o.err != nil:
		s.end(under, faultMessage(id, o.err))
	default:
		s.end(under, appendComplete(nil, id))
	}
}

// end sends the last message of an operation, if somebody waits for it.
func (s *session) end(under *socket.Call[string], text []byte) {
	if under.Claim() {
		s.Send(text)
	}
}

// next sends a result.
func (s *session) next(
	ctx context.Context, under *socket.Call[string], id []byte, o *operation, r *graphql.Response,
) error {
	payload := append(append(make([]byte, 0, len(r.Data)+128), `{"data":`...), r.Data...)
	if len(r.Errors) > 0 {
		text, err := json.Marshal(r.Errors)
		if err != nil {
			return flows.Unknown(flows.Internal, fmt.Errorf("write errors: %w", err))
		}
		payload = append(append(payload, `,"errors":`...), text...)
	}
	text := appendPayload(make([]byte, 0, len(payload)+len(id)+64), id, typeNext, append(payload, '}'))
	if o.streams {
		return s.Push(ctx, text)
	}
	if under.Claim() { // it is the only one
		s.Reply(text)
		s.Reply(appendComplete(nil, id))
	}
	return nil
}

// refusal returns the message for a response without data. Before anything has
// been resolved it is the document that was refused; after that, nobody knows.
func refusal(id []byte, o *operation, r *graphql.Response) []byte {
	if !o.streams {
		if text, err := json.Marshal(r.Errors); err == nil && len(r.Errors) > 0 {
			return appendPayload(nil, id, typeError, text)
		}
	}
	err := errors.New("the engine gave no data")
	if len(r.Errors) > 0 {
		err = r.Errors[0]
	}
	return faultMessage(id, flows.Unknown(flows.Internal, err))
}

// An operation is what a resolver of subscriptions shares with its session.
type operation struct {
	call    *socket.Call[string]
	run     func(func(context.Context)) // in a goroutine of the session
	streams bool                        // a subscription has begun
	err     error                       // how it has ended; read once its results have
}

type operationKey struct{}

// A subscription resolves the fields of Subscription.
type subscriptions struct{ root *root }

// Subscription is what resolves the fields of Subscription.
func (r *root) Subscription() *subscriptions { return &subscriptions{r} }

// Changes is Subscription.changes.
func (s *subscriptions) Changes(ctx context.Context, args *struct {
	ID  graphql.ID
	Key string
}) <-chan *result {
	return s.watch(ctx, args.ID, "", flows.Call{Verb: flows.Watch, Kind: flows.Query, Key: args.Key})
}

// Command is Subscription.command.
func (s *subscriptions) Command(ctx context.Context, args *struct {
	ID        graphql.ID
	Key, Body string
}) <-chan *result {
	return s.watch(ctx, args.ID, args.Body, flows.Call{Verb: flows.Watch, Kind: flows.Command, Key: args.Key})
}

// watch has the endpoint tell all that it has to. How that ends is not for the
// engine, which knows no errors but those of a field: the operation is told.
func (s *subscriptions) watch(ctx context.Context, id graphql.ID, body string, c flows.Call) <-chan *result {
	results := make(chan *result)
	o, ok := ctx.Value(operationKey{}).(*operation)
	if !ok { // no socket, so nobody to tell
		close(results)
		return results
	}
	o.streams = true
	if c.Kind == flows.Query {
		o.call.Live()
	}
	o.run(func(context.Context) {
		defer close(results)
		o.err = s.root.tell(ctx, id, body, c, results)
	})
	return results
}

// tell makes a call and gives its answers to results.
func (r *root) tell(ctx context.Context, id graphql.ID, body string, c flows.Call, results chan<- *result) (err error) {
	if c.ID, err = parseID(id); err != nil {
		return err
	}
	if c.Kind == flows.Command {
		if c.Body, err = r.decode(body); err != nil {
			return err
		}
	}
	c.Trace = traceOf(ctx)
	for a, err := range r.endpoint(ctx, c) {
		if err != nil {
			return err
		}
		told, err := r.result(a)
		if err != nil {
			return err
		}
		select {
		case results <- told:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
