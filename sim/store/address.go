package store

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"flowbench/flows"
)

// A Place is where the objects of a session are. It makes all of their addresses,
// and it says which addresses are theirs.
//
// An object is called prefix.name. Neither part has a dot in it, so no session's
// objects can be taken for those of a session with a longer prefix. An address is
// the place's root with that after it, to the letter: nothing is decoded, resolved
// or folded when one comes back, so there are no two ways to write an address, and
// none that a server reads differently than this package does.
type Place struct{ root, prefix string }

// maxName is how long a prefix or a name may be: two of them and a dot fit into
// a file name everywhere.
const maxName = 120

// NewPlace returns the place of the objects with a prefix below root, which is a
// URI up to where the names of objects begin: "http://127.0.0.1:8080/", "mem:".
func NewPlace(root, prefix string) (Place, error) {
	if !plain(prefix) {
		return Place{}, flows.Fail(flows.Internal,
			fmt.Errorf("the prefix %q is not one to %d letters, digits and hyphens", prefix, maxName))
	}
	return Place{root, prefix + "."}, nil
}

// Object returns what the object with the name that was given to Put is called.
func (p Place) Object(name string) (string, error) {
	if !plain(name) {
		return "", flows.Fail(flows.Internal, fmt.Errorf("put: %q is not one to %d letters, digits and hyphens",
			name, maxName))
	}
	return p.prefix + name, nil
}

// Address returns the address of an object.
func (p Place) Address(object string) string { return p.root + object }

// Find returns what the object at an address is called. The error of an address
// that this place has not made is [flows.ErrForeign]; it does not repeat the
// address, which may be of any length and have anybody's secrets in it.
func (p Place) Find(uri string) (object string, err error) {
	object, ok := strings.CutPrefix(uri, p.root)
	if !ok || !p.Has(object) {
		return "", flows.Fail(flows.Rejected, flows.ErrForeign)
	}
	return object, nil
}

// Has reports whether an object that is called this can be one of the session's.
func (p Place) Has(object string) bool {
	name, ok := strings.CutPrefix(object, p.prefix)
	return ok && plain(name)
}

// plain reports whether s is of letters, digits and hyphens, and not too long.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// A Server is a server of somebody else's, as [Config.URL] names it.
type Server struct {
	Scheme      string
	Host        string // host:port
	Path        string // begins and ends with a slash
	Credentials Credentials
}

// Root returns the URI of the folder that the URL names, without credentials.
func (s Server) Root() string { return s.Scheme + "://" + s.Host + s.Path }

// Server takes the configured URL apart. A URL without a port means the given one.
// Credentials that are not in the URL are those beside it. No error shows any.
func (c Config) Server(scheme, port string) (Server, error) {
	u, err := url.Parse(c.URL)
	if err != nil || !plainHost(u.Hostname()) || u.Opaque != "" {
		return Server{}, flows.Fail(flows.Unreachable, fmt.Errorf("the address of the store is not a URL with a host; "+
			"want %s://host:port/", scheme))
	}
	if u.Scheme != scheme {
		return Server{}, flows.Fail(flows.Unreachable, fmt.Errorf("the address of the store has the scheme %q; want %s",
			u.Scheme, scheme))
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !plainPath(u.EscapedPath()) {
		return Server{}, flows.Fail(flows.Unreachable, fmt.Errorf("the address of the store at %s has a query, "+
			"a fragment, or a path of more than letters, digits and -._~", u.Host))
	}
	s := Server{Scheme: scheme, Host: u.Host, Path: u.Path, Credentials: c.Credentials}
	if u.Port() == "" {
		s.Host = net.JoinHostPort(u.Hostname(), port)
	}
	if !strings.HasSuffix(s.Path, "/") {
		s.Path += "/"
	}
	if u.User != nil {
		s.Credentials.Name = u.User.Username()
		s.Credentials.Secret, _ = u.User.Password()
	}
	return s, nil
}

// plainHost reports whether a host is a name or a number, and has no zone.
func plainHost(host string) bool {
	return plain(strings.NewReplacer(".", "-", "_", "-", ":", "-").Replace(host))
}

// plainPath reports whether a path means the same to everybody: it has no dot
// segments, no empty ones, and nothing that is written with a percent sign.
func plainPath(path string) bool {
	if path == "" || path == "/" {
		return true
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	others := strings.NewReplacer(".", "-", "_", "-", "~", "-")
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." || !plain(others.Replace(segment)) {
			return false
		}
	}
	return true
}
