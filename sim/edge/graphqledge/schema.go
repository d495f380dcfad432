package graphqledge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/graph-gophers/graphql-go"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// sdl is the schema. Fields of queries and mutations are nullable, as an error
// takes the whole of a result away.
const sdl = `
	schema { query: Query mutation: Mutation subscription: Subscription }

	type Query {
		"What became of a command."
		status(id: ID!): Result
		"The value of a key."
		query(id: ID!, key: String!): Result
	}

	type Mutation {
		"Takes a command. The id names it; the body is base64."
		submit(id: ID!, key: String!, body: String!): Result
	}

	type Subscription {
		"The value of a key, now and after every change."
		changes(id: ID!, key: String!): Result!
		"Takes a command, and tells how it goes on: PENDING when it is accepted, and then its result."
		command(id: ID!, key: String!, body: String!): Result!
	}

	enum Status { DONE PENDING }

	type Result {
		status: Status!
		"Base64. Empty unless the status is DONE."
		body: String!
		"When to ask for the status. Zero unless the status is PENDING."
		retryAfterMs: Int!
		"The command that the result is news of, to those who watch a key. Null for what was there before."
		op: ID
	}
`

// The bounds on a document. Ours are some 100 bytes long, two levels deep, and
// ask for five fields.
const (
	maxDocument   = 4 << 10
	maxDepth      = 4
	maxSelections = 32
)

// maxPush is how long one result of a subscription may take to be resolved and
// handed on. The engine drops one that takes longer without a word, so it is
// longer than any session waits for room.
const maxPush = time.Minute

// newSchema returns the schema with endpoint behind it. The schema is a constant,
// so an error is a defect; it is returned all the same.
func newSchema(e flows.Endpoint, maxBody int64) (*graphql.Schema, error) {
	s, err := graphql.ParseSchema(sdl, &root{e, maxBody},
		graphql.UseFieldResolvers(), graphql.DisableFieldSelections(),
		graphql.RestrictIntrospection(func(context.Context) bool { return false }),
		graphql.MaxQueryLength(maxDocument), graphql.MaxDepth(maxDepth), graphql.MaxSelections(maxSelections),
		graphql.SubscribeResolverTimeout(maxPush),
	)
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	return s, nil
}

// root is where resolving begins. The engine finds all methods by name, and
// needs the pointers that they take and give.
type root struct {
	endpoint flows.Endpoint
	maxBody  int64
}

// Query is what resolves the fields of Query.
func (r *root) Query() *queries { return &queries{r} }

// Mutation is what resolves the fields of Mutation.
func (r *root) Mutation() *mutations { return &mutations{r} }

type queries struct{ root *root }

type mutations struct{ root *root }

// A result is the type Result.
type result struct {
	Status       string
	Body         string
	RetryAfterMs int32
	Op           *graphql.ID
}

// Submit is Mutation.submit.
func (m *mutations) Submit(ctx context.Context, args *struct {
	ID        graphql.ID
	Key, Body string
}) (*result, error) {
	body, err := m.root.decode(args.Body)
	if err != nil {
		return nil, fault{err}
	}
	return m.root.call(ctx, args.ID, flows.Call{Verb: flows.Submit, Kind: flows.Command, Key: args.Key, Body: body})
}

// Status is Query.status.
func (q *queries) Status(ctx context.Context, args *struct{ ID graphql.ID }) (*result, error) {
	return q.root.call(ctx, args.ID, flows.Call{Verb: flows.Fetch, Kind: flows.StatusOf})
}

// Query is Query.query.
func (q *queries) Query(ctx context.Context, args *struct {
	ID  graphql.ID
	Key string
}) (*result, error) {
	return q.root.call(ctx, args.ID, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: args.Key})
}

func (r *root) call(ctx context.Context, id graphql.ID, c flows.Call) (*result, error) {
	var err error
	if c.ID, err = parseID(id); err != nil {
		return nil, fault{err}
	}
	c.Trace = traceOf(ctx)
	for a, err := range r.endpoint(ctx, c) {
		if err != nil {
			return nil, fault{err}
		}
		told, err := r.result(a)
		if err != nil {
			return nil, fault{err}
		}
		return told, nil
	}
	return nil, fault{flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer"))}
}

const (
	statusDone    = "DONE"
	statusPending = "PENDING"
)

// milliseconds returns d as a GraphQL Int, at least 1.
func milliseconds(d time.Duration) int32 {
	return int32(min(max(d.Milliseconds(), 1), math.MaxInt32))
}

// parseID reads the id of a call.
func parseID(id graphql.ID) (uint64, error) {
	n, err := edge.ParseID(string(id))
	if err != nil {
		return 0, flows.Fail(flows.Rejected, fmt.Errorf("id: %w", err))
	}
	return n, nil
}

// decode reads the body of a command.
func (r *root) decode(text string) ([]byte, error) {
	if int64(base64.StdEncoding.DecodedLen(len(text)))-2 > r.maxBody {
		return nil, tooLarge(r.maxBody)
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, flows.Fail(flows.Rejected, fmt.Errorf("body: %w", err))
	}
	if int64(len(body)) > r.maxBody {
		return nil, tooLarge(r.maxBody)
	}
	return body, nil
}

// result returns what an answer is written as.
func (r *root) result(a flows.Answer) (*result, error) {
	switch {
	case a.Status == flows.Pending:
		return &result{Status: statusPending, RetryAfterMs: milliseconds(a.RetryAfter)}, nil
	case int64(len(a.Body)) > r.maxBody:
		return nil, flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", r.maxBody))
	default:
		told := &result{Status: statusDone, Body: base64.StdEncoding.EncodeToString(a.Body)}
		if a.Op != 0 {
			op := graphql.ID(edge.FormatID(a.Op))
			told.Op = &op
		}
		return told, nil
	}
}

func tooLarge(limit int64) error {
	return flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", limit))
}

// A fault is an error that tells the engine of its extensions.
type fault struct{ error }

// Extensions is how the engine asks for what stands beside the message.
func (f fault) Extensions() map[string]any {
	e := edge.FaultOf(f.error)
	return map[string]any{"outcome": e.Outcome, "class": e.Class}
}
