// Package natsbroker is the driver of core NATS.
//
// Core NATS promises at most once. A publisher hands its message to the client
// library and learns nothing more; a message that no one is subscribed to is
// gone, and so is one whose connection breaks. What can be told, the driver
// tells: without a connection Publish fails at once instead of collecting
// messages to send later, a request that nobody takes is answered at its inbox
// with an error, and messages that a slow consumer made the library drop are
// events.
package natsbroker

import (
	"context"
	"fmt"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/natswire"
)

// Driver describes the broker.
func Driver() broker.Driver {
	return broker.Driver{
		Name:       "nats",
		Summary:    "core NATS: fast, at most once, nothing is stored",
		Source:     broker.Embedded,
		MaxMessage: 1 << 20, // max_payload of a NATS server by default
		Server:     "nats",
		Params:     natswire.Params(),
		Traits:     func(broker.Params) flows.Traits { return flows.Ordered | flows.Groups },
		Open:       open,
	}
}

type session struct {
	cfg     broker.Config
	space   *natswire.Space
	version string
}

func open(ctx context.Context, cfg broker.Config) (broker.Session, error) {
	s := &session{cfg: cfg, space: natswire.NewSpace(cfg.Prefix)}
	probe := cfg
	probe.Meter, probe.Notify = &broker.Meter{}, func(broker.Event) {} // it is no part of what is measured
	c, err := natswire.Connect(ctx, probe, s.space, cfg.Prefix+"-probe", nil)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s.version = "NATS " + c.NC.ConnectedServerVersion()
	if err := c.Close(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return s, nil
}

func (s *session) Traits() flows.Traits { return flows.Ordered | flows.Groups }

func (s *session) Version() string { return s.version }

func (s *session) Guarantees() broker.Guarantees {
	return broker.Guarantees{
		AckLevel: "none: handed to the client library", Persistence: "none", Fsync: "none", Replicas: "none",
		Prefetch:   fmt.Sprintf("none: the broker pushes, the client drops beyond %d", natswire.PendingMax),
		Redelivery: "none", Dedup: "none", Priority: "none",
	}
}

func (s *session) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c, err := natswire.Connect(ctx, s.cfg, s.space, name, nil)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	return &conn{c}, nil
}

// Backlog implements [broker.Session]: core NATS keeps nothing that could be
// counted.
func (s *session) Backlog(context.Context) (n int64, ok bool, err error) { return 0, false, nil }

// Close implements [broker.Session]. Subjects exist only while somebody is
// subscribed, so there is nothing to delete.
func (s *session) Close(context.Context) error { return nil }

type conn struct{ *natswire.Conn }

func (c *conn) Publish(ctx context.Context, m flows.Message) error { return c.Core(ctx, m) }

func (c *conn) Subscribe(ctx context.Context, subject, group string) (flows.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	s, err := c.Conn.Subscribe(subject, c.Space.Subject(subject), group)
	if err != nil {
		return nil, err
	}
	return s, nil
}
