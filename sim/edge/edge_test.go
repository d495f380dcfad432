package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGatewaysLeaveItOpen reads answers that are none of an edge's own.
func TestGatewaysLeaveItOpen(t *testing.T) {
	for _, tt := range []struct {
		code        int
		kind, body  string
		wantOutcome flows.Outcome
		wantClass   flows.Class
	}{
		{http.StatusBadGateway, "text/html", "<h1>", flows.Undecided, flows.Disconnected},
		{http.StatusGatewayTimeout, "", "", flows.Undecided, flows.Timeout},
		{http.StatusBadGateway, "application/problem+json", `{"outcome":"failed"}`, flows.Undecided,
			flows.Disconnected},
		{http.StatusBadGateway, "application/problem+json", `{"outcome":"ok","class":"timeout"}`, flows.Undecided,
			flows.Disconnected},
		{http.StatusServiceUnavailable, "application/problem+json", `{"outcome":"failed","class":"refused"}`,
			flows.Failed, flows.Refused},
	} {
		r := &http.Response{StatusCode: tt.code, Header: http.Header{"Content-Type": {tt.kind}}}
		err := edge.ReadProblem(r, []byte(tt.body))
		if o, c := flows.OutcomeOf(err); o != tt.wantOutcome || c != tt.wantClass {
			t.Errorf("%d %s %s is read as %v, %s; want %v, %s", tt.code, tt.kind, tt.body, o, c, tt.wantOutcome,
				tt.wantClass)
		}
	}
}

func TestProblemsSayTheSameInStatusAndDocument(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{flows.Fail(flows.Rejected, http.ErrNotSupported), http.StatusUnprocessableEntity},
		{flows.Fail(flows.TooLarge, http.ErrNotSupported), http.StatusRequestEntityTooLarge},
		{flows.Fail(flows.Overloaded, http.ErrNotSupported), http.StatusServiceUnavailable},
		{flows.Unknown(flows.Rejected, http.ErrNotSupported), http.StatusBadGateway},
		{flows.Unknown(flows.Timeout, http.ErrNotSupported), http.StatusGatewayTimeout},
	} {
		w := httptest.NewRecorder()
		edge.WriteProblem(w, tt.err)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), `"class"`) {
			t.Errorf("%v is written as %d, %s; want %d", tt.err, w.Code, w.Body, tt.code)
		}
		wantOutcome, wantClass := flows.OutcomeOf(tt.err)
		o, c := flows.OutcomeOf(edge.ReadProblem(w.Result(), w.Body.Bytes()))
		if o != wantOutcome || c != wantClass {
			t.Errorf("%v is read back as %v, %s", tt.err, o, c)
		}
	}
}

func TestAFaultThatIsNoneIsCorrupt(t *testing.T) {
	for _, f := range []edge.Fault{{}, {Outcome: "ok", Class: "timeout"}, {Outcome: "failed", Class: "bad"}} {
		if o, c := flows.OutcomeOf(f.Err()); o != flows.Undecided || c != flows.Corrupt {
			t.Errorf("%+v is %v, %s; want unknown, corrupt", f, o, c)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("000000000000000a")
	f.Add("")
	f.Add("+00000000000000a")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := edge.ParseID(s)
		if err == nil && edge.FormatID(id) != strings.ToLower(s) {
			t.Errorf("%q is read as %s", s, edge.FormatID(id))
		}
	})
}
