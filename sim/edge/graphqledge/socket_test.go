package graphqledge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/wire"
)

// listening makes an endpoint reachable for the length of a test and returns the
// address. Clients of sockets must begin within greeting.
func listening(t *testing.T, greeting time.Duration, endpoint flows.Endpoint) string {
	t.Helper()
	e := New(edge.Config{
		Timeout: 20 * time.Second, MaxBody: 1024, Meter: &edge.Meter{}, Dial: wire.Loopback(),
		Log: slog.New(slog.DiscardHandler),
	})
	e.greeting = greeting
	s, err := e.Listen(t.Context(), "part", endpoint)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	address, err := e.Address("part")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// open opens a socket as somebody else's client would.
func open(t *testing.T, address, origin string, protocols ...string) (*websocket.Conn, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address+path,
		&websocket.DialOptions{HTTPClient: client, HTTPHeader: header, Subprotocols: protocols})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() }) // most tests have closed it
	}
	return conn, err
}

// say sends messages over a new socket and returns what comes back until it
// ends, or until as many have come as are expected.
func say(t *testing.T, address string, expected int, messages ...string) (heard []string, code websocket.StatusCode) {
	t.Helper()
	conn, err := open(t, address, "", subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		// The server may end the socket before all is sent.
		_ = conn.Write(t.Context(), websocket.MessageText, []byte(m))
	}
	for len(heard) < expected {
		_, text, err := conn.Read(t.Context())
		if err != nil {
			return heard, websocket.CloseStatus(err)
		}
		heard = append(heard, string(text))
	}
	return heard, 0
}

const (
	initMessage = `{"type":"connection_init"}`
	ackMessage  = `{"type":"connection_ack"}`
)

func subscribing(id, document string) string {
	text, _ := json.Marshal(document)
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%s}}`, id, text)
}

const live = `subscription { r: changes(id: "0000000000000001", key: "waits") { body } }`

func TestMessagesAreThoseOfTheProtocol(t *testing.T) {
	var ended atomic.Int64
	address := listening(t, greeting, talking(&ended))
	for _, tt := range []struct {
		document string
		want     []string
	}{
		{`{ r: query(id: "0000000000000001", key: "k") { body } }`, []string{
			`{"id":"a\"b","type":"next","payload":{"data":{"r":{"body":"aw=="}}}}`, `{"id":"a\"b","type":"complete"}`,
		}},
		{`subscription { r: changes(id: "0000000000000001", key: "fails") { body } }`, []string{
			`{"id":"a\"b","type":"next","payload":{"data":{"r":{"body":"MA=="}}}}`,
			`{"id":"a\"b","type":"error","payload":[{"message":"no",` +
				`"extensions":{"outcome":"failed","class":"rejected"}}]}`,
		}},
		{`subscription { r: changes(id: "1", key: "k") { body } }`, []string{
			`{"id":"a\"b","type":"error","payload":[{"message":"id: \"1\" is not an id of 16 hexadecimal digits",` +
				`"extensions":{"outcome":"failed","class":"rejected"}}]}`,
		}},
		{`subscription { r: command(id: "0000000000000001", key: "k", body: "eA==") { status body } }`, []string{
			`{"id":"a\"b","type":"next","payload":{"data":{"r":{"status":"PENDING","body":""}}}}`,
			`{"id":"a\"b","type":"next","payload":{"data":{"r":{"status":"DONE","body":"eA=="}}}}`,
			`{"id":"a\"b","type":"complete"}`,
		}},
	} {
		got, code := say(t, address, 1+len(tt.want), initMessage, subscribing(`a"b`, tt.document))
		if len(got) == 0 || got[0] != ackMessage || strings.Join(got[1:], "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s is answered, and ended with %d:\n%s\nwant:\n%s", tt.document, code, strings.Join(got, "\n"),
				strings.Join(tt.want, "\n"))
		}
	}
}

// TestDocumentsThatSubscribeToNothingAreRefused has what would make the engine
// look for a field that is not there, or leave one out.
func TestDocumentsThatSubscribeToNothingAreRefused(t *testing.T) {
	var ended atomic.Int64
	address := listening(t, greeting, talking(&ended))
	for _, document := range []string{
		`subscription { __typename }`, `subscription { __schema { types { name } } }`,
		`subscription { a: changes(id: "0000000000000001", key: "k") { body } ` +
			`b: changes(id: "0000000000000001", key: "k") { body } }`,
		`subscription { ...F } fragment F on Subscription { ...F }`,
	} {
		got, code := say(t, address, 2, initMessage, subscribing("1", document))
		if len(got) != 2 || !strings.HasPrefix(got[1], `{"id":"1","type":"error","payload":[{`) {
			t.Errorf("%s is answered %q, %d; want an error", document, got, code)
		}
	}
}

func TestEachWayToBreakTheProtocolHasItsCode(t *testing.T) {
	var ended atomic.Int64
	address := listening(t, greeting, talking(&ended))
	for _, tt := range []struct {
		about    string
		messages []string
		code     websocket.StatusCode
	}{
		{"no JSON", []string{"{"}, codeBadRequest},
		{"an unknown type", []string{`{"type":"dance"}`}, codeBadRequest},
		{"a message of servers", []string{initMessage, `{"id":"1","type":"next"}`}, codeBadRequest},
		{"no query", []string{initMessage, `{"id":"1","type":"subscribe","payload":{}}`}, codeBadRequest},
		{"no payload", []string{initMessage, `{"id":"1","type":"subscribe"}`}, codeBadRequest},
		{"no id", []string{initMessage, `{"type":"subscribe","payload":{"query":"{a}"}}`}, codeBadRequest},
		{"a long id", []string{initMessage, subscribing(strings.Repeat("x", maxID+1), live)}, codeBadRequest},
		{"a payload that is none", []string{`{"type":"connection_init","payload":[]}`}, codeBadRequest},
		{"deep nesting", []string{`{"type":"ping","payload":` + strings.Repeat("[", 12000)}, codeBadRequest},
		{"an operation before the acknowledgement", []string{subscribing("1", live)}, codeUnauthorized},
		{"a second beginning", []string{initMessage, initMessage}, codeTooManyInits},
		{
			"an id that is in use", []string{initMessage, subscribing("1", live), subscribing("1", live)},
			codeAlreadyExists,
		},
		{"a message without end", []string{strings.Repeat(" ", 1<<20)}, websocket.StatusMessageTooBig},
	} {
		if heard, code := say(t, address, 10, tt.messages...); code != tt.code {
			t.Errorf("%s ends with %d after %q; want %d", tt.about, code, heard, tt.code)
		}
	}
	impatient := listening(t, time.Millisecond, talking(&ended))
	if _, code := say(t, impatient, 1); code != codeInitTimeout {
		t.Errorf("a client that does not begin ends with %d; want %d", code, codeInitTimeout)
	}
	conn, err := open(t, address, "", "graphql-ws")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != codeUnacceptable {
		t.Errorf("another subprotocol ends as %v; want %d", err, codeUnacceptable)
	}
}

func TestSocketsOfOtherOriginsAreRefused(t *testing.T) {
	var ended atomic.Int64
	address := listening(t, greeting, talking(&ended))
	for origin, want := range map[string]bool{
		"": true, "http://" + address: true, "http://example.com": false, "null": false,
	} {
		if _, err := open(t, address, origin, subprotocol); (err == nil) != want {
			t.Errorf("origin %q ends as %v; want it accepted: %v", origin, err, want)
		}
	}
}

// TestASubscriptionOverHTTPIsRefused since nobody could be told more than once.
func TestASubscriptionOverHTTPIsRefused(t *testing.T) {
	e := serve(t, func(flows.Call) (flows.Answer, error) {
		t.Error("it reached the endpoint")
		return flows.Answer{}, nil
	})
	code, text := send(t, e, http.MethodPost, jsonType, `{"query":"`+strings.ReplaceAll(live, `"`, `\"`)+`"}`)
	if code != http.StatusBadRequest || !strings.Contains(text, `"errors"`) {
		t.Errorf("got %d %s; want a refusal", code, text)
	}
}

// TestCallsWithoutASocketGoOverHTTP dials for a watch only.
func TestCallsWithoutASocketGoOverHTTP(t *testing.T) {
	for _, over := range []bool{false, true} {
		verbs := make(chan string, 10)
		e := New(edge.Config{
			Timeout: 20 * time.Second, MaxBody: 1024, Socket: over, Meter: &edge.Meter{}, Dial: wire.Loopback(),
			Log: slog.New(slog.DiscardHandler),
		})
		s, err := e.web.Listen("part", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			verbs <- r.Method
			http.Error(w, "no", http.StatusBadRequest)
		}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		c, err := e.Dial(t.Context(), "part", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []flows.Verb{flows.Submit, flows.Watch} {
			_, _ = flows.First(t.Context(), c, flows.Call{Verb: verb}) // which is refused
		}
		want := http.MethodPost
		if over {
			want = http.MethodGet
		}
		if first, second := <-verbs, <-verbs; first != want || second != http.MethodGet {
			t.Errorf("with everything over the socket %v: a command goes by %s and a watch by %s", over, first, second)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// FuzzReadMessage gives the server's reader what anybody may send.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(initMessage))
	f.Add([]byte(subscribing("1", live)))
	f.Add([]byte(`{"type":"ping","payload":{"x":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readMessage(text)
		if err != nil {
			return
		}
		if m.Type == typeSubscribe || m.Type == typeComplete {
			if m.ID == "" || len(m.ID) > maxID {
				t.Errorf("the id %q is taken", m.ID)
			}
		}
		if m.Type != typeSubscribe {
			return
		}
		if q, err := m.operation(); err == nil {
			id, _ := json.Marshal(m.ID)
			payload, err := json.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			again, err := readMessage(appendPayload(nil, id, typeSubscribe, payload))
			if err != nil || again.ID != strings.ToValidUTF8(m.ID, "\ufffd") {
				t.Errorf("%s is written and read as %+v, %v", text, again, err)
			}
		}
	})
}

// FuzzReadAnswer gives the client's reader what a broken server may send.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"1","type":"next","payload":{"data":{"r":{"status":"DONE","body":"eA=="}}}}`))
	f.Add([]byte(`{"id":"1","type":"error","payload":[{"message":"no"}]}`))
	f.Add([]byte(`{"id":"1","type":"complete"}`))
	f.Add([]byte(`{"id":"1","type":"next","payload":{"data":{"r":{"status":"PENDING","retryAfterMs":-5}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := codec{maxBody: 64}.Read(text)
		if err == nil && (len(h.Answer.Body) > 64 || h.Answer.RetryAfter < 0) {
			t.Errorf("%s is read as %+v", text, h.Answer)
		}
		if err == nil && h.Err != nil {
			if o, _ := flows.OutcomeOf(h.Err); o == flows.OK {
				t.Errorf("%v is an error that means ok", h.Err)
			}
		}
	})
}

// TestAServerThatClosesDoesNotWaitForLiveQueries gives it all the time that there
// is: work is waited for that long, and a live query is none.
func TestAServerThatClosesDoesNotWaitForLiveQueries(t *testing.T) {
	var ended atomic.Int64
	h, err := New(edge.Config{
		MaxBody: 1024, Meter: &edge.Meter{}, Dial: wire.Loopback(), Log: slog.New(slog.DiscardHandler),
	}).backend(talking(&ended))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := open(t, server.Listener.Addr().String(), "", subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{initMessage, subscribing("1", live)} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // that it is ready, and the first value
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		h.Shutdown(t.Context())
	}()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ends as %v; want it to be told that the server goes away", err)
	}
	<-closed
}
