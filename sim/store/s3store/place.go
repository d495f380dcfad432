package s3store

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"flowbench/flows"
	"flowbench/sim/store"
)

// region is what requests are signed for unless the URL says otherwise. Servers
// other than Amazon's take it, or take any.
const region = "us-east-1"

// wantURL is how the URL of a bucket is written.
const wantURL = "want s3://host:port/bucket, with ?tls=true if the server wants that, and ?region=name if it has some"

// A place is where a bucket is and how one gets in.
type place struct {
	host        string // with its port, if it has one
	secure      bool   // over TLS
	bucket      string
	region      string
	credentials store.Credentials
}

// placeOf takes the URL of a bucket apart. Its errors do not repeat it, because
// there may be a secret in it.
func placeOf(address string, c store.Credentials) (place, error) {
	no := func(what string) (place, error) {
		return place{}, flows.Fail(flows.Unreachable, fmt.Errorf("the URL of the S3 server %s; %s", what, wantURL))
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return no("is not a URL with a host")
	}
	p := place{host: u.Host, region: region, credentials: c, secure: u.Scheme == "https"}
	switch u.Scheme {
	case scheme, "http", "https":
	default:
		return no("does not begin with s3, http or https")
	}
	p.bucket = strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if !isBucket(p.bucket) {
		return no("does not end with the name of a bucket")
	}
	if u.User != nil {
		p.credentials.Name = u.User.Username()
		p.credentials.Secret, _ = u.User.Password()
	}
	if (p.credentials.Name == "") != (p.credentials.Secret == "") {
		return place{}, flows.Fail(flows.Unreachable, errors.New("of the S3 server's name and secret one is missing"))
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return no("has options that cannot be read")
	}
	for name, values := range query {
		switch value := values[0]; {
		case name == "region" && isWord(value):
			p.region = value
		case name == "tls" && u.Scheme == scheme && (value == "true" || value == "false"):
			p.secure = value == "true"
		default:
			return no("has an option that is not known, or with a value that cannot be")
		}
	}
	return p, nil
}

// isBucket tells whether a name follows the rules for buckets.
func isBucket(name string) bool {
	return !strings.Contains(name, "..") &&
		regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(name)
}

// isWord tells whether a text is like the name of a region.
func isWord(s string) bool { return regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`).MatchString(s) }
