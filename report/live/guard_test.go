package live

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhoMayAsk(t *testing.T) {
	const ok, host, method, site = 200, http.StatusMisdirectedRequest, http.StatusMethodNotAllowed, http.StatusForbidden
	elsewhere := func(mode, dest string) map[string]string {
		return map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
	}
	const document, frame = "document", "iframe"
	from := func(site string) map[string]string { return map[string]string{"Sec-Fetch-Site": site} }
	const here = "127.0.0.1:80"
	for name, c := range map[string]struct {
		method, host string
		header       map[string]string
		exposed      bool
		want         int
	}{
		"an address in numbers is let in":         {host: here, want: ok},
		"so is that of version 6":                 {host: "[::1]:80", want: ok},
		"so is localhost":                         {host: "LOCALHOST:8080", want: ok},
		"so is HEAD":                              {method: "HEAD", host: here, want: ok},
		"a name made to mean this machine is not": {host: "evil.example:80", want: host},
		"nor is one that begins well":             {host: "127.0.0.1.evil.example", want: host},
		"nor is a machine elsewhere":              {host: "10.0.0.1", want: host},
		"nor is no name at all":                   {host: "", want: host},
		"the exposed let in by any address":       {host: "10.0.0.1:80", exposed: true, want: ok},
		"but not by any name":                     {host: "evil.example", exposed: true, want: host},
		"nothing is posted":                       {method: "POST", host: here, want: method},
		"nothing is deleted":                      {method: "DELETE", host: here, want: method},
		"nothing is traced":                       {method: "TRACE", host: here, want: method},
		"nor posted from elsewhere":               {method: "POST", host: here, header: from("cross-site"), want: site},
		"a page of the server itself is let in":   {host: here, header: from("same-origin"), want: ok},
		"an address that was typed is let in":     {host: here, header: from("none"), want: ok},
		"a link from elsewhere is":                {host: here, header: elsewhere("navigate", document), want: ok},
		"a frame of another site is not":          {host: here, header: elsewhere("navigate", frame), want: site},
		"a script of another site is not":         {host: here, header: elsewhere("cors", "empty"), want: site},
		"nor is one of another port":              {host: here, header: from("same-site"), want: site},
	} {
		t.Run(name, func(t *testing.T) {
			reached := false
			h := guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }), c.exposed)
			if c.method == "" {
				c.method = "GET"
			}
			r := httptest.NewRequest(c.method, "/", nil)
			r.Host = c.host
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || reached != (c.want == ok) {
				t.Errorf("status is %d, let in %v; want %d", w.Code, reached, c.want)
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := w.Header().Get(name); !strings.Contains(got, want) {
					t.Errorf("%s is %q; want %q in it", name, got, want)
				}
			}
		})
	}
}

func TestAddressesToListenOn(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:0": "127.0.0.1:0", "8080": "127.0.0.1:8080", "localhost:1": "127.0.0.1:1", "[::1]:9": "[::1]:9",
		":8080": ":8080", "0.0.0.0:1": "0.0.0.0:1", "example.org:80": "", "127.0.0.1": "",
		"": "", "127.0.0.1:": "", "a:b:c": "", "99999": "", "127.0.0.1:http": "",
	} {
		got, err := Resolve(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:1": true, "[::1]:9": true, ":8080": false, "0.0.0.0:1": false, "[::]:1": false,
		"192.168.1.1:1": false,
	} {
		if got := Loopback(address); got != want {
			t.Errorf("%s is loopback: %v", address, got)
		}
	}
}
