package graphqledge

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/edgetest"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	open := func(c edge.Config) flows.Edge { return New(c) }
	edgetest.Test(t, open)
	edgetest.TestSockets(t, open)
}

// serve makes an endpoint reachable for the length of a test and returns the
// edge.
func serve(t *testing.T, f func(flows.Call) (flows.Answer, error)) *Edge {
	t.Helper()
	e := New(edge.Config{
		Timeout: 5 * time.Second, MaxBody: 1024, Meter: &edge.Meter{}, Dial: wire.Loopback(),
		Log: slog.New(slog.DiscardHandler),
	})
	s, err := e.Listen(t.Context(), "part", func(_ context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return flows.Single(func() (flows.Answer, error) { return f(c) })
	})
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
	return e
}

// send sends a request to the edge as somebody else's client would.
func send(t *testing.T, e *Edge, method, kind, body string) (code int, text string) {
	t.Helper()
	address, err := e.Address("part")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestOtherClientsAreAnsweredToo(t *testing.T) {
	e := serve(t, func(c flows.Call) (flows.Answer, error) { return flows.Answer{Body: []byte(c.Key)}, nil })
	code, text := send(t, e, http.MethodPost, "application/json; charset=utf-8",
		`{"query":"{ a: query(id: \"0000000000000001\", key: \"x\") { body } query(id: \"0000000000000002\", `+
			`key: \"yz\") { status __typename } }"}`)
	const want = `{"data":{"a":{"body":"eA=="},"query":{"status":"DONE","__typename":"Result"}}}`
	if code != http.StatusOK || text != want {
		t.Errorf("got %d %s; want %s", code, text, want)
	}
}

func TestErrorsHaveTheirMeaningAsExtensions(t *testing.T) {
	e := serve(t, func(flows.Call) (flows.Answer, error) {
		return flows.Answer{}, flows.Fail(flows.Overloaded, io.ErrShortBuffer)
	})
	code, text := send(t, e, http.MethodPost, jsonType, `{"query":"{ status(id: \"0000000000000001\") { body } }"}`)
	if code != http.StatusOK || !strings.Contains(text, `"extensions":{"class":"overloaded","outcome":"failed"}`) ||
		!strings.Contains(text, `"data":{"status":null}`) {
		t.Errorf("got %d %s; want the class and the outcome", code, text)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	e := serve(t, func(flows.Call) (flows.Answer, error) {
		t.Error("nonsense reached the endpoint")
		return flows.Answer{}, nil
	})
	const field = `query(id: "0000000000000001", key: "k") { status }`
	quoted := func(s string) string { return `{"query":"` + strings.ReplaceAll(s, `"`, `\"`) + `"}` }
	var many strings.Builder
	for range maxSelections + 1 {
		many.WriteString(" a" + strings.Repeat("x", many.Len()%40) + ": " + field)
	}
	for _, tt := range []struct {
		about, method, kind, body string
		code                      int
		says                      string
	}{
		{"another method", http.MethodGet, jsonType, "", http.StatusMethodNotAllowed, ""},
		{"a form, which any page can post", http.MethodPost, "application/x-www-form-urlencoded",
			quoted("{" + field + "}"), http.StatusUnsupportedMediaType, "want application/json"},
		{"no JSON", http.MethodPost, jsonType, "{", http.StatusUnprocessableEntity, `"class":"rejected"`},
		{"no GraphQL", http.MethodPost, jsonType, quoted("{"), http.StatusBadRequest, "syntax error"},
		{"an unknown field", http.MethodPost, jsonType, quoted("{ secrets }"), http.StatusBadRequest, "secrets"},
		{"introspection", http.MethodPost, jsonType, quoted("{ __schema { types { name } } }"), http.StatusOK,
			`{"data":{}}`},
		{"a long document", http.MethodPost, jsonType, quoted("{ #" + strings.Repeat("x", maxDocument)),
			http.StatusBadRequest, "exceeds the maximum"},
		{"a malformed id", http.MethodPost, jsonType, quoted(`{ status(id: "1") { status } }`), http.StatusOK,
			`"class":"rejected"`},
		{"a body that is not base64", http.MethodPost, jsonType,
			quoted(`mutation { submit(id: "0000000000000001", key: "k", body: "?") { status } }`), http.StatusOK,
			`"class":"rejected"`},
		{"a body without end", http.MethodPost, jsonType, `{"query":"` + strings.Repeat("x", 1<<20) + `"}`,
			http.StatusRequestEntityTooLarge, `"class":"too-large"`},
		{"many fields", http.MethodPost, jsonType, quoted("{" + many.String() + "}"), http.StatusBadRequest,
			"too many"},
	} {
		if code, text := send(t, e, tt.method, tt.kind, tt.body); code != tt.code || !strings.Contains(text, tt.says) {
			t.Errorf("%s: got %d %.300s; want %d and %q", tt.about, code, text, tt.code, tt.says)
		}
	}
}

func TestAKeyThatIsNoTextFails(t *testing.T) {
	e := serve(t, func(flows.Call) (flows.Answer, error) {
		t.Error("the call was made")
		return flows.Answer{}, nil
	})
	caller, err := e.Dial(t.Context(), "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = flows.First(t.Context(), caller, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: "\xff"})
	if o, c := flows.OutcomeOf(err); o != flows.Failed || c != flows.Rejected {
		t.Errorf("ends as %v, %s (%v); want failed, rejected", o, c, err)
	}
}

// TestWhatIsReadIsCheckedToTheEnd gives a client responses that no server of ours
// sends.
func TestWhatIsReadIsCheckedToTheEnd(t *testing.T) {
	for text, want := range map[string]flows.Class{
		`{`: flows.Corrupt, `{}`: flows.Corrupt, `{"data":{}}`: flows.Corrupt, `{"data":{"r":null}}`: flows.Corrupt,
		`{"data":{"r":{"status":"LATER"}}}`:                                             flows.Corrupt,
		`{"data":{"r":{"status":"DONE","body":"?"}}}`:                                   flows.Corrupt,
		`{"data":{"r":{"status":"DONE","body":"AAAAAAAA"}}}`:                            flows.TooLarge,
		`{"data":{"r":null},"errors":[{"message":"m"}]}`:                                flows.Corrupt,
		`{"errors":[{"message":"m","extensions":{"outcome":"failed","class":"none"}}]}`: flows.Corrupt,
	} {
		_, err := readResponse([]byte(text), 4)
		if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != want {
			t.Errorf("%s is read as %v, %s (%v); want unknown, %s", text, o, class, err, want)
		}
	}
}
