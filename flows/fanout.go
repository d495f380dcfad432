package flows

import (
	"context"
	"errors"
	"fmt"
)

// FanOut is the flow in which commands are told to everybody: a client hands its
// command to the broker, the service applies it and publishes an event, and every
// subscriber hears that over a connection of its own. Commands end for their
// client when they are accepted; queries are answered on its reply channel.
type FanOut struct{}

// Spec implements [Flow].
func (FanOut) Spec() Spec {
	return Spec{
		Name:    "fan-out",
		Summary: "clients hand commands to the broker, and the service's events about them go to every subscriber",
		Axes:    []Axis{{"path", "broker"}, {"command", "fan-out"}, {"query", "reply-to"}},
		Uses:    UsesBroker,
		Promise: AtLeastOnce,
		Tells:   Everyone,
	}
}

// Listen implements [Flow].
func (FanOut) Listen(ctx context.Context, env Env) (Server, error) {
	service, err := listenConsumers(ctx, env)
	if err != nil {
		return nil, err
	}
	service.events = outcomes
	s := fanOutServer{service: service, env: env}
	for i := range env.Settings.Subscribers {
		sub, err := listenForNews(ctx, env, i)
		if err != nil {
			service.close()
			return nil, errors.Join(err, s.hangUp())
		}
		s.subscribers = append(s.subscribers, sub)
	}
	return s, nil
}

// Dial implements [Flow].
func (FanOut) Dial(ctx context.Context, env Env, id int) (Client, error) {
	return Async{NoReply}.Dial(ctx, env, id)
}

// fanOutServer runs the service and those who listen to it.
type fanOutServer struct {
	env         Env
	service     *consumers
	subscribers []*newsListener
}

// Serve implements [Server].
func (s fanOutServer) Serve(ctx context.Context) error {
	var listening []func(context.Context) error
	for _, sub := range s.subscribers {
		listening = append(listening, s.env.Runtime.Go(ctx, sub.receive))
	}
	err := s.service.Serve(ctx)
	joinAll(ctx, listening)
	return errors.Join(err, s.hangUp())
}

// hangUp closes the connections of all subscribers.
func (s fanOutServer) hangUp() error {
	var errs []error
	for i, sub := range s.subscribers {
		if err := sub.conn.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close connection of subscriber %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// A newsListener is one subscriber to the service's events.
type newsListener struct {
	env    Env
	number int
	conn   Conn
	sub    Subscription
}

// listenForNews connects a subscriber. It belongs to no group: each hears all.
func listenForNews(ctx context.Context, env Env, number int) (*newsListener, error) {
	conn, err := env.Broker.Connect(ctx, fmt.Sprintf("subscriber-%d", number))
	if err != nil {
		return nil, fmt.Errorf("connect subscriber %d: %w", number, err)
	}
	sub, err := conn.Subscribe(ctx, eventSubject, "")
	if err == nil {
		err = conn.Ready(ctx)
	}
	if err != nil {
		_ = conn.Close() // the error that counts is the one at hand
		return nil, fmt.Errorf("subscribe subscriber %d: %w", number, err)
	}
	return &newsListener{env, number, conn, sub}, nil
}

// receive hears of commands until ctx is done. A command that was refused has
// changed nothing, and is no news.
func (l *newsListener) receive(ctx context.Context) {
	for {
		m, err := l.sub.Receive(ctx)
		if err != nil {
			return
		}
		if m.Status == Done {
			l.env.Heard(m.Op, l.number)
		}
		if err := m.Ack(ctx); err != nil {
			l.env.Log.Warn("event not acknowledged", "op", m.Op, "error", err)
		}
	}
}
