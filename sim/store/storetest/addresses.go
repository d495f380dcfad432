package storetest

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/sim/store"
)

// addresses are the cases about what may be asked for.
func addresses() []testCase {
	return []testCase{
		{"an address that is foreign is refused and nobody is asked", false, foreign},
		{"the objects of another session are foreign", false, neighbours},
		{"no credentials are in addresses, endpoints and errors", false, secrets},
	}
}

// foreign asks for addresses that are nearly right, and for what would be worth
// asking for.
func foreign(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "mine", pattern(10))
	expectContent(t, o, uri, flows.Span{}, pattern(10))
	dials, out := w.dials.Load(), w.meter.BytesOut.Load()
	tried := 0
	for _, bad := range foreigners(t, uri, w.config.Prefix) {
		if bad == uri {
			continue
		}
		tried++
		body, err := o.Get(t.Context(), bad, flows.Span{})
		if err == nil {
			_ = body.Close() // it should not be there at all
		}
		deleting := o.Delete(t.Context(), bad)
		for what, err := range map[string]error{"get": err, "delete": deleting} {
			if !errors.Is(err, flows.ErrForeign) {
				t.Errorf("%s %q ends as %v; want %v", what, bad, err, flows.ErrForeign)
				continue
			}
			expect(t, what+" a foreign address", err, flows.Failed, flows.Rejected)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats what was in the address: %v", err)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d addresses were tried", tried)
	}
	if d, b := w.dials.Load()-dials, w.meter.BytesOut.Load()-out; d != 0 || b != 0 {
		t.Errorf("dialled %d times and wrote %d bytes for addresses that are foreign; want nothing", d, b)
	}
	expectContent(t, o, uri, flows.Span{}, pattern(10))
}

// foreigners returns addresses that are not uri, though a parser or a server
// somewhere may take some of them for it.
func foreigners(t *testing.T, uri, prefix string) []string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatalf("the address %s is no URI: %v", uri, err)
	}
	_, rest, _ := strings.Cut(uri, ":")
	at := strings.LastIndex(uri, prefix)
	folder, object := uri[:at], uri[at:]
	all := []string{
		"", " ", "/", ".", "..", ":", "://", "%", "\x00", "garbage", object, rest, u.Scheme, u.Scheme + ":",
		u.Scheme + "://",
		folder, folder + prefix, folder + prefix + ".", folder + ".", folder + "..", folder + "../" + object,
		folder + "./" + object, folder + "%2e%2e/" + object, folder + "%2e%2e%2f" + object, folder + "..%2f" + object,
		folder + "x/../" + object, folder + "x/%2e%2e/" + object, folder + `..\` + object, folder + "/" + object,
		folder + "../../../../../../etc/passwd", folder + "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
		folder + object + "/", folder + object + "/..", folder + object + "/../" + object, folder + object + "%00",
		folder + object + "\x00", folder + object + "\r\nDELE x", folder + object + " ", " " + uri, uri + "?",
		uri + "?a=b",
		uri + "?versionId=1", uri + "#", uri + "#f", uri + ";type=i", uri + "%", uri + "/other", uri + ".part",
		uri + ".",
		folder + "%66" + object[1:], folder + strings.ToUpper(object), folder + "other-" + object,
		folder + "x" + object,
		folder + strings.Replace(object, prefix, "fbtest-another", 1),
		folder + strings.Replace(object, prefix, prefix+"-1", 1),
		folder + strings.Replace(object, prefix, prefix[:len(prefix)-1], 1), folder + strings.Repeat("x", 1<<16),
		strings.ToUpper(u.Scheme) + ":" + rest, u.Scheme + "s:" + rest, u.Scheme + "::" + rest,
		"https://example.invalid/" + object, "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
		"gopher://127.0.0.1:6379/_x", "data:,x", "http://127.0.0.1:1/" + object, "mem:" + "x", "file:" + "../x",
	}
	if u.Host == "" {
		return append(all, u.Scheme+"://"+rest, u.Scheme+"://localhost/"+rest, u.Scheme+":/"+rest, u.Scheme+":///"+rest,
			u.Scheme+"://somebody:hunter2@localhost/"+rest)
	}
	path := strings.TrimPrefix(rest, "//"+u.Host)
	for _, host := range []string{
		"", "localhost", "localhost:" + u.Port(), "127.0.0.2:" + u.Port(), u.Hostname(), u.Hostname() + ":",
		u.Hostname() + ":1",
		u.Host + "0", u.Host + ".example.invalid", "0" + u.Host, "[::1]:" + u.Port(), "2130706433:" + u.Port(),
		"somebody:hunter2@" + u.Host, "@" + u.Host, u.Host + "@example.invalid", "example.invalid#@" + u.Host,
		`example.invalid\@` + u.Host, "example.invalid", u.Host + " ",
	} {
		all = append(all, u.Scheme+"://"+host+path)
	}
	return append(all, u.Scheme+":"+path, u.Scheme+":/"+u.Host+path, u.Scheme+":///"+u.Host+path)
}

// neighbours has two sessions, on the same server if the bench names one.
func neighbours(t *testing.T, r *rig) {
	w := r.world(t)
	other := r.world(t, func(c *store.Config) { c.Prefix = w.config.Prefix + "-1" })
	mine, theirs := w.party(t, "mine"), other.party(t, "theirs")
	uri := put(t, theirs, "secret", pattern(10))
	dials, out := w.dials.Load(), w.meter.BytesOut.Load()
	_, err := mine.Get(t.Context(), uri, flows.Span{})
	if !errors.Is(err, flows.ErrForeign) {
		t.Errorf("getting an object of another session ends as %v; want %v", err, flows.ErrForeign)
	}
	if err := mine.Delete(t.Context(), uri); !errors.Is(err, flows.ErrForeign) {
		t.Errorf("deleting an object of another session ends as %v; want %v", err, flows.ErrForeign)
	}
	if d, b := w.dials.Load()-dials, w.meter.BytesOut.Load()-out; d != 0 || b != 0 {
		t.Errorf("dialled %d times and wrote %d bytes; want nothing", d, b)
	}
	w.close(t)
	expectContent(t, theirs, uri, flows.Span{}, pattern(10))
}

// secrets plants credentials and looks for them in what people get to see.
func secrets(t *testing.T, r *rig) {
	const secret = "hunter2-planted"
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "object", pattern(10))
	if c := r.bench.Credentials; c.Secret != "" {
		for what, text := range map[string]string{"the endpoint": w.session.Endpoint(), "an address": uri} {
			if strings.Contains(text, c.Secret) || strings.Contains(text, c.Name+"@") ||
				strings.Contains(text, c.Name+":") {
				t.Errorf("%s is %s; want no credentials in it", what, text)
			}
		}
		wrong := r.closedWorld(t, func(c *store.Config) { c.Credentials.Secret = secret })
		_ = expectNotOpened(t, r, wrong, "credentials that are not taken", flows.Rejected, secret)
	}
	if !r.bench.Driver.External {
		return
	}
	scheme := r.bench.Driver.Scheme
	for _, address := range []string{
		scheme + "://somebody:" + secret + "%zz@127.0.0.1:1", scheme + "://somebody:" + secret + "@",
		"wrong://somebody:" + secret + "@127.0.0.1:1/", "somebody:" + secret + "@127.0.0.1", secret,
		scheme + "://somebody:" + secret + "@127.0.0.1:1/%2e%2e/",
		scheme + "://somebody:" + secret + "@127.0.0.1:1/?x=" + secret,
	} {
		bad := r.closedWorld(t, func(c *store.Config) { c.URL = address })
		_ = expectNotOpened(t, r, bad, "an address that is wrong", flows.Unreachable, secret)
		if n := bad.dials.Load(); n != 0 {
			t.Errorf("dialled %d times for a wrong address", n)
		}
	}
	down := r.closedWorld(t, func(c *store.Config) {
		c.URL = scheme + "://somebody:" + secret + "@127.0.0.1:1/bucket/"
		c.Credentials = store.Credentials{Name: "somebody", Secret: secret}
	})
	if err := down.cutter.Down(); err != nil {
		t.Fatal(err)
	}
	err := expectNotOpened(t, r, down, "a server that refuses connections", flows.Refused, secret)
	if err != nil && !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("the error is %v; want it to name the server", err)
	}
}
