package live

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// Resolve returns the address to listen on for what somebody wrote: HOST:PORT, or
// PORT alone for this machine. A port of 0 is any that is free. It refuses names,
// which may mean anything by the time they are used, but for localhost.
func Resolve(address string) (string, error) {
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		address = "127.0.0.1:" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q is not an address to listen on; want such as 127.0.0.1:8080", address)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if host != "" && net.ParseIP(host) == nil {
		return "", fmt.Errorf("%q is a name; want an IP address to listen on, such as 127.0.0.1", host)
	}
	return net.JoinHostPort(host, port), nil
}

// Loopback reports whether only this machine can reach an address that Resolve
// returned.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// guarded lets through to h what pages of this server ask for, and what programs on
// this machine do; exposed means that other machines may come as well.
func guarded(h http.Handler, exposed bool) http.Handler {
	names := []string{"localhost"}
	if name, err := os.Hostname(); exposed && err == nil {
		names = append(names, strings.ToLower(name))
	}
	inner := http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !hostAllowed(r.Host, names, exposed):
			// A web site whose name was made to mean this machine comes with its own name.
			http.Error(w, "flowbench answers to localhost and to IP addresses only", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "there is nothing here to change", http.StatusMethodNotAllowed)
		case foreign(r):
			http.Error(w, "pages of other sites may not ask", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		inner.ServeHTTP(w, r)
	})
}

// harden sets what browsers are to hold to, whatever is answered. What a report may
// run and load is in the report; the rest may do nothing.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// pagePolicy is the part of a page's policy that only a header can have; the rest is
// in the page.
const pagePolicy = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"

// hostAllowed reports whether a request may come by this Host. An address in numbers
// cannot be made to mean something else.
func hostAllowed(host string, names []string, exposed bool) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(strings.ToLower(host), "[]")
	for _, name := range names {
		if host == name {
			return true
		}
	}
	ip := net.ParseIP(host)
	return ip != nil && (exposed || ip.IsLoopback())
}

// foreign reports whether a browser asks on behalf of another site, other than by
// following a link to here.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}
