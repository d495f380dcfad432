package flows

import (
	"context"
	"fmt"
)

// AsyncReplyTo is request-reply over the broker: the client publishes with a
// return address and waits at its inbox, for commands and queries alike.
type AsyncReplyTo struct{}

// Spec implements [Flow].
func (AsyncReplyTo) Spec() Spec {
	return Spec{
		Name:    "async-reply-to",
		Summary: "the client speaks to the broker and is answered on a reply channel of its own",
		Axes:    []Axis{{"path", "broker"}, {"command", "reply-to"}, {"query", "reply-to"}},
		Uses:    UsesBroker,
		Promise: AtLeastOnce,
	}
}

// Listen implements [Flow].
func (AsyncReplyTo) Listen(ctx context.Context, env Env) (Server, error) {
	return listenConsumers(ctx, env)
}

// Dial implements [Flow].
func (AsyncReplyTo) Dial(ctx context.Context, env Env, id int) (Client, error) {
	r, err := openReplies(ctx, env, fmt.Sprintf("client-%d", id))
	if err != nil {
		return nil, err
	}
	env.Runtime.Go(ctx, r.receive)
	return replyToClient{r}, nil
}

type replyToClient struct{ replies *replies }

func (c replyToClient) Do(ctx context.Context, op *Op) error {
	m := Message{Subject: requestSubject, ID: op.ID, Op: op.ID, Kind: op.Kind, Key: op.Key, Body: op.Body}
	answer, err := c.replies.request(ctx, m, func() { op.Reach(Accepted) })
	if err != nil {
		return err
	}
	op.Answer = answer.Body
	op.Settle(c.replies.confirms)
	return nil
}

func (c replyToClient) Close() error { return c.replies.conn.Close() }
