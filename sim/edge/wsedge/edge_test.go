package wsedge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/edgetest"
	"flowbench/sim/edge/socket"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	open := func(c edge.Config) flows.Edge { return New(c) }
	edgetest.Test(t, open)
	edgetest.TestSockets(t, open)
	edgetest.TestStreams(t, open)
}

// patience is how long a test waits for what should be there soon.
const patience = 20 * time.Second

// serve makes a number of backends reachable for the length of a test, with
// bounds as change makes them, and returns the edge and the address.
func serve(
	t *testing.T, backends int, change func(*socket.Bounds),
	f func(context.Context, flows.Call) (flows.Answer, error),
) (*Edge, string) {
	t.Helper()
	e := New(edge.Config{
		Timeout: patience, MaxBody: 64 << 10, Meter: &edge.Meter{}, Dial: wire.Loopback(),
		Log: slog.New(slog.DiscardHandler),
	})
	change(&e.bounds)
	endpoints := make([]flows.Endpoint, backends)
	for i := range endpoints {
		endpoints[i] = func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
			return flows.Single(func() (flows.Answer, error) { return f(ctx, c) })
		}
	}
	s, err := e.Listen(t.Context(), "part", endpoints...)
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
	return e, address
}

func asIs(*socket.Bounds) {}

func echo(_ context.Context, c flows.Call) (flows.Answer, error) {
	return flows.Answer{Body: c.Body}, nil
}

// dial opens a socket as somebody else's client would.
func dial(t *testing.T, address string, header http.Header) (*websocket.Conn, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address+path,
		&websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err == nil {
		conn.SetReadLimit(1 << 20)
		t.Cleanup(func() { _ = conn.CloseNow() }) // most tests have closed it
	}
	return conn, err
}

// connected is dial where it must succeed.
func connected(t *testing.T, address string) *websocket.Conn {
	t.Helper()
	conn, err := dial(t, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t *testing.T, conn *websocket.Conn, message string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesAreWhatTheDocumentationSays(t *testing.T) {
	_, address := serve(t, 1, asIs, func(_ context.Context, c flows.Call) (flows.Answer, error) {
		switch c.Kind {
		case flows.StatusOf:
			return flows.Answer{Status: flows.Pending, RetryAfter: 10 * time.Millisecond}, nil
		case flows.Query:
			return flows.Answer{}, flows.Fail(flows.Rejected, errors.New("no \"such\" key"))
		default:
			return flows.Answer{Body: c.Body}, nil
		}
	})
	conn := connected(t, address)
	for asked, want := range map[string]string{
		`{"n":1,"verb":"submit","id":"000000000000000a","key":"k","body":"eHl6"}`: `{"n":1,"status":"done",` +
			`"body":"eHl6"}`,
		`{"n":2,"verb":"status","id":"000000000000000a"}`: `{"n":2,"status":"pending","retry_after_ms":10}`,
		`{"n":3,"verb":"query","id":"000000000000000a","key":"k"}`: `{"n":3,"status":"error",` +
			`"detail":"no \"such\" key","outcome":"failed","class":"rejected"}`,
		`{"n":4,"verb":"dance","id":"000000000000000a"}`: `{"n":4,"status":"error",` +
			`"detail":"there is no verb \"dance\"","outcome":"failed","class":"rejected"}`,
		`{"n":5,"verb":"query","id":"10"}`: `{"n":5,"status":"error",` +
			`"detail":"id: \"10\" is not an id of 16 hexadecimal digits","outcome":"failed","class":"rejected"}`,
	} {
		write(t, conn, asked)
		_, got, err := conn.Read(t.Context())
		if err != nil || string(got) != want {
			t.Errorf("%s is answered %s, %v; want %s", asked, got, err, want)
		}
	}
}

// TestPagesOfOtherOriginsAreRefused asks through a balancer as well, which must
// not hide from the backend what the browser asked for.
func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	for _, backends := range []int{1, 2} {
		_, address := serve(t, backends, asIs, echo)
		for origin, want := range map[string]bool{
			"": true, "http://" + address: true, "http://example.com": false, "null": false,
		} {
			header := http.Header{}
			if origin != "" {
				header.Set("Origin", origin)
			}
			if _, err := dial(t, address, header); (err == nil) != want {
				t.Errorf("with %d backends origin %q ends as %v; want it accepted: %v", backends, origin, err, want)
			}
		}
	}
}

func TestNonsenseEndsTheSocketWithAReason(t *testing.T) {
	_, address := serve(t, 1, asIs, echo)
	for _, tt := range []struct {
		kind    websocket.MessageType
		message string
		want    websocket.StatusCode
	}{
		{websocket.MessageText, "{", websocket.StatusInvalidFramePayloadData},
		{websocket.MessageText, `{"n":-1}`, websocket.StatusInvalidFramePayloadData},
		{websocket.MessageText, `{"n":1,"verb":"submit","body":"?"}`, websocket.StatusInvalidFramePayloadData},
		{websocket.MessageBinary, "{}", websocket.StatusInvalidFramePayloadData},
		{websocket.MessageText, strings.Repeat("x", 1<<20), websocket.StatusMessageTooBig},
	} {
		conn := connected(t, address)
		_ = conn.Write(t.Context(), tt.kind, []byte(tt.message)) // the server may end the socket before all is sent
		if _, got, err := conn.Read(t.Context()); websocket.CloseStatus(err) != tt.want {
			t.Errorf("%.40s ends as %q, %v; want status %d", tt.message, got, err, tt.want)
		}
	}
}

// TestTheServerItselfRefusesLargeBodies sends what our own client would not.
func TestTheServerItselfRefusesLargeBodies(t *testing.T) {
	_, address := serve(t, 1, asIs, echo)
	conn := connected(t, address)
	for size, want := range map[int]string{64 << 10: `"done"`, 64<<10 + 3: `"outcome":"failed","class":"too-large"`} {
		body := base64.StdEncoding.EncodeToString(make([]byte, size))
		write(t, conn, `{"n":1,"verb":"submit","id":"0000000000000001","body":"`+body+`"}`)
		if _, got, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%d bytes are answered %.100s, %v; want %s", size, got, err, want)
		}
	}
}

// TestABodyIsSentAsItIsAskedFor speaks the protocol by hand.
func TestABodyIsSentAsItIsAskedFor(t *testing.T) {
	_, address := serve(t, 1, asIs, func(_ context.Context, c flows.Call) (flows.Answer, error) {
		if c.Key == "wait" {
			return flows.Answer{Body: []byte("unread")}, nil
		}
		body, err := io.ReadAll(c.Stream)
		return flows.Answer{Body: body}, err
	})
	conn := connected(t, address)
	said := func(want string) {
		t.Helper()
		if _, got, err := conn.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("the server says %s, %v; want %s", got, err, want)
		}
	}
	frame := func(n byte, data string) {
		t.Helper()
		err := conn.Write(t.Context(), websocket.MessageBinary, append([]byte{0, 0, 0, 0, 0, 0, 0, n}, data...))
		if err != nil {
			t.Fatal(err)
		}
	}
	submit := func(n int, rest string) {
		t.Helper()
		write(t, conn, fmt.Sprintf(`{"n":%d,"verb":"submit","id":"000000000000000a",%s}`, n, rest))
	}
	frame(9, "of nobody")
	submit(1, `"stream":3`)
	said(`{"n":1,"status":"credit","bytes":3}`)
	frame(1, "x")
	frame(1, "")
	frame(1, "yz")
	said(`{"n":1,"status":"done","body":"eHl6"}`)
	frame(1, "late")
	submit(2, `"stream":3,"key":"wait"`)
	said(`{"n":2,"status":"done","body":"dW5yZWFk"}`)
	submit(3, `"stream":-1`)
	said(`{"n":3,"status":"error","detail":"a body is here or comes in frames, and has a size",` +
		`"outcome":"failed","class":"rejected"}`)
	submit(4, `"stream":65537`)
	said(`{"n":4,"status":"error","detail":"the body is over 65536 bytes","outcome":"failed","class":"too-large"}`)
	submit(5, `"stream":3`)
	said(`{"n":5,"status":"credit","bytes":3}`)
	frame(5, "four")
	if _, got, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("more than was asked for ends as %s, %v; want the socket dropped", got, err)
	}
}

func TestTheCallsOfASocketAreBounded(t *testing.T) {
	const limit = 3
	_, address := serve(t, 1, func(b *socket.Bounds) { b.Calls = limit },
		func(ctx context.Context, _ flows.Call) (flows.Answer, error) {
			<-ctx.Done()
			return flows.Answer{}, ctx.Err()
		})
	conn := connected(t, address)
	for n := range limit + 1 {
		write(t, conn, fmt.Sprintf(`{"n":%d,"verb":"status","id":"0000000000000001"}`, n))
	}
	_, got, err := conn.Read(t.Context())
	if err != nil || !strings.HasPrefix(string(got), `{"n":3,`) || !strings.Contains(string(got), `"overloaded"`) {
		t.Errorf("one call too many is answered %s, %v; want overloaded", got, err)
	}
	write(t, conn, `{"n":0,"verb":"status","id":"0000000000000001"}`)
	_, got, err = conn.Read(t.Context())
	if err != nil || !strings.Contains(string(got), "call 0 is under way") {
		t.Errorf("a number that is in use is answered %s, %v; want a refusal", got, err)
	}
}

// TestASlowClientIsDropped asks for far more than fits into buffers, and reads
// only then.
func TestASlowClientIsDropped(t *testing.T) {
	const capacity, size, calls = 1 << 20, 48 << 10, 300
	_, address := serve(t, 1, func(b *socket.Bounds) { b.Waiting = capacity }, echo)
	conn := connected(t, address)
	message := fmt.Sprintf(`"verb":"submit","id":"0000000000000001","body":"%s"}`, strings.Repeat("A", size/3*4))
	for n := range calls {
		write(t, conn, fmt.Sprintf(`{"n":%d,%s`, n, message))
	}
	got := 0
	for {
		_, _, err := conn.Read(t.Context())
		if err == nil {
			got++
			continue
		}
		if c := websocket.CloseStatus(err); c != websocket.StatusPolicyViolation || got == calls {
			t.Errorf("the socket ends after %d answers as %v; want it dropped as too slow", got, err)
		}
		return
	}
}

// quick has both ends ask soon whether the other is there.
func quick(b *socket.Bounds) { b.Silence, b.Response = 20*time.Millisecond, 50*time.Millisecond }

// TestASilentClientIsNoticed has a client that does not read call a server.
func TestASilentClientIsNoticed(t *testing.T) {
	told := make(chan struct{})
	_, address := serve(t, 1, quick, func(ctx context.Context, _ flows.Call) (flows.Answer, error) {
		<-ctx.Done()
		close(told)
		return flows.Answer{}, ctx.Err()
	})
	conn := connected(t, address)
	write(t, conn, `{"n":1,"verb":"status","id":"0000000000000001"}`)
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("the server does not notice that its client is silent")
	}
}

func TestPingsKeepAQuietSocketOpen(t *testing.T) {
	often := func(b *socket.Bounds) { b.Silence, b.Response = time.Millisecond, patience }
	e, _ := serve(t, 2, often, echo)
	caller, err := e.Dial(t.Context(), "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	const calls = 200
	for range calls {
		if _, err := flows.First(t.Context(), caller, flows.Call{Verb: flows.Submit, ID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.config.Meter.Requests.Load() - calls; n != 1 {
		t.Errorf("the balancer has handed on %d sockets; want one", n)
	}
}

func TestAClosedClientMakesNoCalls(t *testing.T) {
	e, _ := serve(t, 1, asIs, echo)
	caller, err := e.Dial(t.Context(), "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := caller.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := flows.First(t.Context(), caller, flows.Call{}); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("a call ends as %v; want closed", err)
	}
}

func TestAKeyThatIsNoTextFails(t *testing.T) {
	e, _ := serve(t, 1, asIs, echo)
	caller, err := e.Dial(t.Context(), "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	_, err = flows.First(t.Context(), caller, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: "\xff"})
	if o, c := flows.OutcomeOf(err); o != flows.Failed || c != flows.Rejected {
		t.Errorf("ends as %v, %s (%v); want failed, rejected", o, c, err)
	}
}

// FuzzTake gives the server's reader what anybody may send.
func FuzzTake(f *testing.F) {
	f.Add([]byte(`{"n":1,"verb":"submit","id":"000000000000000a","key":"k","body":"eHl6"}`))
	f.Add([]byte(`{"n":1,"verb":"cancel"}`))
	f.Add([]byte(`{"n":1,"verb":"submit","id":"000000000000000a","key":"k","stream":7}`))
	f.Add([]byte(`{"n":4,"verb":"command","id":"000000000000000a","key":"k","body":"eHl6"}`))
	f.Add([]byte(`{"n":5,"verb":"changes","id":"000000000000000a","key":"k"}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		var m asked
		if json.Unmarshal(message, &m) != nil {
			return
		}
		c, err := m.call()
		if err != nil {
			return
		}
		if m.Stream != nil && m.takes() {
			c.Stream = strings.NewReader("")
		}
		again, err := appendCall(nil, m.N, c)
		if err != nil {
			t.Fatal(err)
		}
		var back asked
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("%s is written as %s, which cannot be read: %v", message, again, err)
		}
		if d, err := back.call(); err != nil || d.Verb != c.Verb || d.Kind != c.Kind || d.ID != c.ID ||
			d.StreamBytes != c.StreamBytes ||
			c.Kind != flows.StatusOf && d.Key != c.Key || string(d.Body) != string(c.Body) {
			t.Errorf("%+v is written and read as %+v, %v", c, d, err)
		}
	})
}

// FuzzRead gives the client's reader what a broken server may send.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"n":1,"status":"done","body":"eHl6"}`))
	f.Add([]byte(`{"n":1,"status":"pending","retry_after_ms":10}`))
	f.Add([]byte(`{"n":1,"status":"error","outcome":"failed","class":"rejected","detail":"no"}`))
	f.Add([]byte(`{"n":1,"status":"end"}`))
	f.Add([]byte(`{"n":1,"status":"credit","bytes":7}`))
	f.Add([]byte(`{"n":1,"status":"pending","retry_after_ms":-5}`))
	f.Add([]byte(`{"n":1,"status":"pending","retry_after_ms":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		h, err := codec{maxBody: 64}.Read(message)
		if err != nil {
			return
		}
		if h.Credit < 0 || h.Credit > maxCredit || len(h.Answer.Body) > 64 || h.Answer.RetryAfter < 0 {
			t.Errorf("%s is read as %+v", message, h.Answer)
		}
		if o, _ := flows.OutcomeOf(h.Err); h.Err != nil && o == flows.OK {
			t.Errorf("%s is an error that means ok", message)
		}
	})
}
