package flows

import (
	"context"
	"errors"
	"fmt"
)

// Hybrid sends commands through a front end and the broker, and queries
// straight to the service: what must not be lost takes the safe way, what can be
// asked again takes the short one.
type Hybrid struct{ Mode ProxyMode }

// Spec implements [Flow].
func (h Hybrid) Spec() Spec {
	command := map[ProxyMode]string{ProxySync: "call", ProxyAsync: "poll"}[h.Mode]
	summary := map[ProxyMode]string{
		ProxySync:  "commands go as in proxy-sync, queries as in direct",
		ProxyAsync: "commands go as in proxy-async, queries as in direct",
	}[h.Mode]
	return Spec{
		Name: "hybrid-" + string(h.Mode), Summary: summary,
		Axes: []Axis{{"path", "hybrid"}, {"command", command}, {"query", "call"}},
		Uses: UsesBroker | UsesEdge, Promise: AtLeastOnce,
	}
}

// Listen implements [Flow]. The instances that take commands from the broker are
// the ones that answer queries.
func (h Hybrid) Listen(ctx context.Context, env Env) (Server, error) {
	commands, err := Proxy(h).listen(ctx, env)
	if err != nil {
		return nil, err
	}
	queries, err := Direct{}.Listen(ctx, env)
	if err != nil {
		commands.close()
		return nil, err
	}
	return hybridServer{env.Runtime, commands, queries}, nil
}

type hybridServer struct {
	rt       Runtime
	commands proxyServer
	queries  Server
}

// Serve implements [Server].
func (s hybridServer) Serve(ctx context.Context) error {
	return serveAll(ctx, s.rt, s.commands, s.queries)
}

// Dial implements [Flow].
func (h Hybrid) Dial(ctx context.Context, env Env, id int) (Client, error) {
	commands, err := Proxy(h).Dial(ctx, env, id)
	if err != nil {
		return nil, err
	}
	queries, err := Direct{}.Dial(ctx, env, id)
	if err != nil {
		return nil, errors.Join(err, commands.Close())
	}
	return hybridClient{commands, queries}, nil
}

type hybridClient struct{ commands, queries Client }

// Do implements [Client].
func (c hybridClient) Do(ctx context.Context, op *Op) error {
	if op.Kind == Query {
		return c.queries.Do(ctx, op)
	}
	return c.commands.Do(ctx, op)
}

// Close implements [Client].
func (c hybridClient) Close() error {
	if err := errors.Join(c.commands.Close(), c.queries.Close()); err != nil {
		return fmt.Errorf("close hybrid client: %w", err)
	}
	return nil
}
