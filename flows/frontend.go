package flows

import (
	"context"
	"fmt"
)

// FrontEndPart is the name under which front ends are reached over an edge. A
// flow that has front ends has one of them, or several behind a load balancer.
const FrontEndPart = "front-end"

// frontEnds are what stands between web clients and the broker. Each has a
// connection to the broker of its own, with an inbox of its own, and shares
// nothing with the others, as processes on several machines share nothing: what
// one of them knows the next request may have to do without.
type frontEnds struct {
	env     Env
	replies []*replies // of each
	server  Server
}

// listenFrontEnds makes as many front ends reachable as the settings say, behind
// the balancer of the edge if there are several. endpointFor returns what front
// end number i, counting from 0, answers calls with; r is its end of
// request-reply over the broker.
func listenFrontEnds(
	ctx context.Context, env Env, endpointFor func(i int, r *replies) Endpoint,
) (*frontEnds, error) {
	f := &frontEnds{env: env}
	var endpoints []Endpoint
	for i := range max(1, env.Settings.FrontEnds) {
		r, err := openReplies(ctx, env, fmt.Sprintf("%s-%d", FrontEndPart, i))
		if err != nil {
			f.close()
			return nil, err
		}
		f.replies = append(f.replies, r)
		endpoints = append(endpoints, endpointFor(i, r))
	}
	var err error
	f.server, err = env.Edge.Listen(ctx, FrontEndPart, endpoints...)
	if err != nil {
		f.close()
		return nil, fmt.Errorf("listen as %s: %w", FrontEndPart, err)
	}
	return f, nil
}

// Serve implements [Server].
func (f *frontEnds) Serve(ctx context.Context) error {
	var receiving []func(context.Context) error
	for _, r := range f.replies {
		receiving = append(receiving, f.env.Runtime.Go(ctx, r.receive))
	}
	err := f.server.Serve(ctx)
	for i, r := range f.replies {
		if cerr := r.conn.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close connection of %s-%d: %w", FrontEndPart, i, cerr)
		}
	}
	joinAll(ctx, receiving)
	return err
}

// close gives up what will not be served.
func (f *frontEnds) close() {
	for _, r := range f.replies {
		_ = r.conn.Close() // the error that counts is the one at hand
	}
}
