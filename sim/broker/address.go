package broker

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"flowbench/flows"
)

// Redacted returns the scheme, host and port of a broker's URL. User names,
// passwords, paths and queries are left out, and so is all of an address that
// is no URL: whatever reaches a message or a result goes through here first.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "(address not shown: it is not a URL with a host)"
	}
	host := u.Host
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return u.Scheme + "://" + host
}

// RedactedList returns several addresses as [Redacted] shows them, separated by
// commas.
func RedactedList(addresses []string) string {
	shown := make([]string, len(addresses))
	for i, a := range addresses {
		shown[i] = Redacted(a)
	}
	return strings.Join(shown, ", ")
}

// CheckAddresses returns an error if there is no address or one of them is not
// a URL with one of the schemes. The error shows no credentials, as those of
// package url would.
func CheckAddresses(addresses []string, schemes ...string) error {
	if len(addresses) == 0 {
		return flows.Fail(flows.Unreachable, errors.New("no address of the broker was given"))
	}
	for i, a := range addresses {
		u, err := url.Parse(a)
		if err != nil || u.Host == "" {
			return flows.Fail(flows.Unreachable, fmt.Errorf("address %d of the broker is not a URL with a host", i+1))
		}
		known := false
		for _, s := range schemes {
			known = known || u.Scheme == s
		}
		if !known {
			return flows.Fail(flows.Unreachable, fmt.Errorf("address %s has the scheme %q; want one of %s",
				Redacted(a), u.Scheme, strings.Join(schemes, ", ")))
		}
	}
	return nil
}

// NotDialed gives the error of a connection that could not be opened its class.
// Nothing can have been sent, so it is always a certain failure.
func NotDialed(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return flows.Fail(flows.Refused, err)
	}
	return flows.Fail(flows.Unreachable, err)
}

// Int returns the value of a parameter that is a whole number. It is the zero
// value for one that is absent or no number, which a plan never lets through.
func (p Params) Int(name string) int {
	n, err := strconv.Atoi(p[name])
	if err != nil {
		return 0
	}
	return n
}

// Defaults returns the value that every parameter of d has unless a scenario
// sets it.
func (d Driver) Defaults() Params {
	p := make(Params, len(d.Params))
	for _, param := range d.Params {
		p[param.Name] = param.Default
	}
	return p
}
