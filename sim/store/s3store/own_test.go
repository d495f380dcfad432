package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
)

func TestPlacesAreTakenFromURLsAndNothingIsGuessed(t *testing.T) {
	beside := store.Credentials{Name: "n", Secret: "s"}
	for _, c := range []struct {
		url  string
		want place
	}{
		{"s3://h:9000/bucket", place{"h:9000", false, "bucket", region, beside}},
		{"s3://h/bucket/", place{"h", false, "bucket", region, beside}},
		{"s3://h/b.u-cket?tls=true&region=eu-1", place{"h", true, "b.u-cket", "eu-1", beside}},
		{"http://h/bucket", place{"h", false, "bucket", region, beside}},
		{"https://h/bucket?region=x", place{"h", true, "bucket", "x", beside}},
		{
			"https://n:a%2fb@[::1]:1/bucket",
			place{"[::1]:1", true, "bucket", region, store.Credentials{Name: "n", Secret: "a/b"}},
		},
	} {
		if got, err := placeOf(c.url, beside); err != nil || got != c.want {
			t.Errorf("%s is %+v, %v; want %+v", c.url, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "h", "s3:", "s3://", "s3:///bucket", "s3://h", "s3://h/", "s3://h/a", "s3://h/a/b", "s3://h//bucket",
		"s3://h/Bucket", "s3://h/../bucket", "s3://h/b..b", "s3://h/-bucket", "s3://h/%62ucket%2f", "s3://h/bucket#f",
		"s3://h/bucket?tls=perhaps", "s3://h/bucket?secret=s", "s3://h/bucket?region=a%20b",
		"http://h/bucket?tls=true", "ftp://h/bucket", "s3://hunter2@h/bucket", "s3://hunter2:@h/bucket",
		"s3://:hunter2@h/bucket", "s3://h:x/bucket",
	} {
		got, err := placeOf(bad, store.Credentials{})
		if outcome, class := flows.OutcomeOf(err); outcome != flows.Failed || class != flows.Unreachable {
			t.Errorf("%s is %+v, %v; want a failure", bad, got, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows credentials: %v", err)
		}
	}
}

// FuzzPlaceOf looks for a URL that is taken and would be dialled elsewhere, or
// whose bucket would reach beyond its own path.
func FuzzPlaceOf(f *testing.F) {
	for _, seed := range []string{"s3://h:1/bucket", "s3://a:b@h/bucket?tls=true", "https://[::1]/bucket?region=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		p, err := placeOf(address, store.Credentials{})
		if err != nil {
			return
		}
		if strings.ContainsAny(p.host, "/?#@\\ ") || strings.ContainsAny(p.bucket, "/?#@%\\ ") || p.host == "" {
			t.Errorf("%q is taken for %+v", address, p)
		}
	})
}

// TestAnUploadHoldsNoPartsInMemory puts and gets 64 MiB and counts all that both
// ends allocate for it.
func TestAnUploadHoldsNoPartsInMemory(t *testing.T) {
	_, o := opened(t)
	const size, most = 64 << 20, 16 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	uri, err := o.Put(t.Context(), "large", size, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.Get(t.Context(), uri, flows.Span{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close()); err != nil || n != size {
		t.Fatalf("read %d bytes: %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("allocated %d bytes for %d; want at most %d", got, size, most)
	} else {
		t.Logf("allocated %d bytes for %d", got, size)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestAFailedUploadGivesItsRoomBack cancels an upload after several parts and
// looks at the files.
func TestAFailedUploadGivesItsRoomBack(t *testing.T) {
	s, o := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(io.LimitReader(zeros{}, 40<<20), calls(cancel))
	_, err := o.Put(ctx, "large", 64<<20, body)
	if outcome, class := flows.OutcomeOf(err); outcome != flows.Undecided || class != flows.Canceled {
		t.Errorf("the put ends as %v", err)
	}
	deadline := time.After(10 * time.Second)
	for s.server.shelf.room.Take(s.cfg.MaxBytes) != nil {
		select {
		case <-deadline:
			t.Fatal("there is no room again")
		case <-time.After(time.Millisecond):
		}
	}
	s.server.shelf.room.Give(s.cfg.MaxBytes)
	if files, err := os.ReadDir(s.cfg.Dir); err != nil || len(files) != 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}

type calls func()

func (c calls) Read([]byte) (int, error) {
	c()
	return 0, nil
}

// TestAnswersHaveTheirClass has a server say what servers say, with a secret in
// its words.
func TestAnswersHaveTheirClass(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		class  flows.Class
		says   string
	}{
		{http.StatusForbidden, "InvalidAccessKeyId", flows.Rejected, "credentials are not taken"},
		{http.StatusForbidden, "SignatureDoesNotMatch", flows.Rejected, "credentials are not taken"},
		{http.StatusForbidden, "AccessDenied", flows.Rejected, "do not permit"},
		{http.StatusNotFound, "NoSuchBucket", flows.Rejected, "is not there"},
		{http.StatusBadRequest, "AuthorizationHeaderMalformed", flows.Rejected, "region"},
		{http.StatusServiceUnavailable, "SlowDown", flows.Overloaded, "SlowDown"},
		{http.StatusInsufficientStorage, "", flows.Overloaded, "507"},
		{http.StatusBadRequest, "EntityTooLarge", flows.TooLarge, "EntityTooLarge"},
		{http.StatusInternalServerError, "InternalError", flows.Rejected, "InternalError"},
		{http.StatusOK, "", flows.Rejected, "no S3 server"},
		{http.StatusNotFound, "hunter2 is not a code", flows.Rejected, "no S3 server"},
		{http.StatusMovedPermanently, "", flows.Rejected, "no S3 server"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>hunter2</Message></Error>", c.code)
		}))
		cfg := config(t)
		cfg.URL = "s3://somebody:hunter2@" + strings.TrimPrefix(server.URL, "http://") + "/bucket"
		_, err := open(t.Context(), cfg)
		outcome, class := flows.OutcomeOf(err)
		if outcome != flows.Failed || class != c.class || !strings.Contains(err.Error(), c.says) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d %s is %v, %s (%v); want %s, with %q", c.status, c.code, outcome, class, err, c.class, c.says)
		}
		server.Close()
	}
}

// TestNothingIsTriedAgain counts the requests that a broken server gets.
func TestNothingIsTriedAgain(t *testing.T) {
	requests := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	cfg := config(t)
	cfg.URL = server.URL + "/bucket"
	if _, err := open(t.Context(), cfg); err == nil || len(requests) != 1 {
		t.Errorf("opening ends as %v after %d requests; want an error after one", err, len(requests))
	}
}

// TestTheServerInsideKnowsWhoAsks speaks to it without credentials.
func TestTheServerInsideKnowsWhoAsks(t *testing.T) {
	s, o := opened(t)
	if _, err := o.Put(t.Context(), "secret", 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	key, err := s.names.Object("secret")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + s.place.host + "/" + bucket + "/" + key)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if res.StatusCode < 400 {
		t.Errorf("somebody gets the object: %d", res.StatusCode)
	}
	if host, _, err := net.SplitHostPort(s.place.host); err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("the server listens at %s; want loopback", s.place.host)
	}
}
