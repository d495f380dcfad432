package drivers_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/graph-gophers/graphql-go"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/graphqledge"
	"flowbench/sim/edge/wsedge"
	"flowbench/sim/wire"
)

// BenchmarkWebSocketEdge compares commands that are echoed over the WebSocket
// edge, 32 at once with a socket each, with 32 loops of the bare library that
// write and read JSON of the same content. Goal: a median ratio of operations per
// second of at least 0.9.
func BenchmarkWebSocketEdge(b *testing.B) {
	e := wsedge.New(edgeConfig())
	compareEdges(b, overEdge(b, e, flows.Call{Verb: flows.Submit, Kind: flows.Command, Key: "k", Body: echoed()}),
		bareSockets(b))
}

// BenchmarkGraphQLEdge compares queries over the GraphQL edge with the bare
// engine behind net/http and a plain client, both with 32 loops. Goal: a median
// ratio of operations per second of at least 0.9.
func BenchmarkGraphQLEdge(b *testing.B) {
	e := graphqledge.New(edgeConfig())
	compareEdges(b, overEdge(b, e, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: "k"}), bareGraphQL(b))
}

func echoed() []byte { return bytes.Repeat([]byte{'x'}, payloadBytes) }

func edgeConfig() edge.Config {
	return edge.Config{
		Timeout: timeout, MaxBody: 1 << 20, ConnectionsPerClient: 1, Dial: wire.Loopback(), Meter: &edge.Meter{},
		Log: slog.New(slog.DiscardHandler),
	}
}

// compareEdges runs ours and theirs in turns. Each returns what one of its loops
// repeats.
func compareEdges(b *testing.B, ours, theirs func(loop int) func(context.Context) error) {
	b.Helper()
	var loops [2][]func(context.Context) error
	for i := range closedUsers {
		loops[0], loops[1] = append(loops[0], ours(i)), append(loops[1], theirs(i))
	}
	for range b.N {
		var ratios, rates []float64
		for range rounds {
			o, t := loopRate(b, loops[0]), loopRate(b, loops[1])
			ratios, rates = append(ratios, o/t), append(rates, o)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(rates), "op/s")
		b.ReportMetric(median(ratios), "ratio-to-bare")
	}
}

// loopRate runs loops for a round and returns the operations per second.
func loopRate(b *testing.B, loops []func(context.Context) error) float64 {
	b.Helper()
	var counted atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(roundTime)
	for _, do := range loops {
		wg.Go(func() {
			for time.Now().Before(end) {
				ctx, cancel := context.WithTimeout(b.Context(), timeout)
				err := do(ctx)
				cancel()
				if err != nil {
					b.Error(err)
					return
				}
				counted.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(counted.Load()) / time.Since(begin).Seconds()
}

// overEdge brings up an edge whose endpoint answers at once, and returns loops
// that repeat a call.
func overEdge(b *testing.B, e flows.Edge, c flows.Call) func(loop int) func(context.Context) error {
	b.Helper()
	body := echoed()
	s, err := e.Listen(b.Context(), "part", func(context.Context, flows.Call) iter.Seq2[flows.Answer, error] {
		return flows.Single(func() (flows.Answer, error) { return flows.Answer{Body: body}, nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return func(loop int) func(context.Context) error {
		caller, err := e.Dial(b.Context(), "part", loop)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = caller.Close() }) // it has nothing to say
		return func(ctx context.Context) error {
			a, err := flows.First(ctx, caller, c)
			if err == nil && len(a.Body) != payloadBytes {
				err = fmt.Errorf("%d bytes come back", len(a.Body))
			}
			return err
		}
	}
}

// listen serves h for the length of a benchmark and returns its address.
func listen(b *testing.B, h http.Handler) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	b.Cleanup(func() {
		_ = srv.Close() // that is how it ends
		<-done
	})
	return l.Addr().String()
}

// bareMessage is what the WebSocket edge sends, as the library's own JSON writes it.
type bareMessage struct {
	N    uint64 `json:"n"`
	Verb string `json:"verb"`
	ID   string `json:"id"`
	Key  string `json:"key"`
	Body []byte `json:"body"`
}

// bareSockets brings up a server that echoes, both ends as the library's own
// examples have it.
func bareSockets(b *testing.B) func(int) func(context.Context) error {
	b.Helper()
	address := listen(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }() // the client has gone
		for {
			var m bareMessage
			if wsjson.Read(r.Context(), conn, &m) != nil || wsjson.Write(r.Context(), conn, m) != nil {
				return
			}
		}
	}))
	return func(int) func(context.Context) error {
		conn, _, err := websocket.Dial(b.Context(), "ws://"+address, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.CloseNow() }) // it has nothing to say
		m := bareMessage{Verb: "submit", ID: edge.FormatID(1), Key: "k", Body: echoed()}
		return func(ctx context.Context) error {
			m.N++
			if err := wsjson.Write(ctx, conn, m); err != nil {
				return err
			}
			var back bareMessage
			return wsjson.Read(ctx, conn, &back)
		}
	}
}

type bareRoot struct{ body string }

func (r *bareRoot) Query() *bareRoot { return r }

// Get is the only field.
func (r *bareRoot) Get(*struct {
	ID  graphql.ID
	Key string
}) *bareResult {
	return &bareResult{"DONE", r.body, 0}
}

type bareResult struct {
	Status       string
	Body         string
	RetryAfterMs int32
}

// bareGraphQL brings up the engine behind net/http, and plain clients.
func bareGraphQL(b *testing.B) func(int) func(context.Context) error {
	b.Helper()
	schema := graphql.MustParseSchema(`type Query { get(id: ID!, key: String!): Result }
		type Result { status: String! body: String! retryAfterMs: Int! }`,
		&bareRoot{base64.StdEncoding.EncodeToString(echoed())}, graphql.UseFieldResolvers())
	address := listen(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Query     string
			Variables map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := json.NewEncoder(w).Encode(schema.Exec(r.Context(), q.Query, "", q.Variables)); err != nil {
			b.Error(err)
		}
	}))
	return func(int) func(context.Context) error {
		client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
		b.Cleanup(client.CloseIdleConnections)
		return func(ctx context.Context) error { return postBare(ctx, client, "http://"+address) }
	}
}

func postBare(ctx context.Context, client *http.Client, url string) error {
	text, err := json.Marshal(map[string]any{
		"query": `query Query($id: ID!, $key: String!) ` +
			`{ r: get(id: $id, key: $key) { status body retryAfterMs } }`,
		"variables": map[string]any{"id": edge.FormatID(1), "key": "k"},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var back struct {
		Data struct {
			R struct {
				Status string
				Body   []byte
			}
		}
	}
	if err := json.Unmarshal(body, &back); err != nil || len(back.Data.R.Body) != payloadBytes {
		return fmt.Errorf("%s: %w", body, err)
	}
	return nil
}
