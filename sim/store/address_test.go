package store_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/sim/store"
)

// FuzzFind looks for an address that is taken and is not the one, written as it
// was made, of an object directly below the place's root.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:80/d/run.x", "http://127.0.0.1:80/d/../run.x", "http://127.0.0.1:80/d/run.%2e%2e", "",
		"mem:run.x",
		"http://u:p@127.0.0.1:80/d/run.x", "http://127.0.0.1:80/d/run.x?y", "http://127.0.0.1:80/d/run.x.y",
	} {
		f.Add(seed)
	}
	const root = "http://127.0.0.1:80/d/"
	place, err := store.NewPlace(root, "run")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		object, err := place.Find(uri)
		if err != nil {
			if !errors.Is(err, flows.ErrForeign) || object != "" {
				t.Fatalf("%q is refused with %q and %v", uri, object, err)
			}
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Host != "127.0.0.1:80" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
			path.Dir(path.Clean(u.Path)) != "/d" || path.Base(u.Path) != object {
			t.Fatalf("%q is taken for %q and means %+v", uri, object, u)
		}
		if place.Address(object) != uri || !place.Has(object) || !strings.HasPrefix(object, "run.") {
			t.Fatalf("%q is taken for %q, whose address is %q", uri, object, place.Address(object))
		}
	})
}

func TestObjectsOfALongerPrefixAreForeign(t *testing.T) {
	short, err := store.NewPlace("mem:", "run")
	if err != nil {
		t.Fatal(err)
	}
	for _, long := range []string{"run-1", "run1", "run-"} {
		other, err := store.NewPlace("mem:", long)
		if err != nil {
			t.Fatal(err)
		}
		object, err := other.Object("x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := short.Find(other.Address(object)); !errors.Is(err, flows.ErrForeign) {
			t.Errorf("%s is taken for an object of the prefix run: %v", other.Address(object), err)
		}
	}
}

func TestServersAreTakenFromURLsAndNothingIsGuessed(t *testing.T) {
	for _, c := range []struct{ url, root string }{
		{"ftp://h", "ftp://h:21/"},
		{"ftp://h:2121", "ftp://h:2121/"},
		{"ftp://h/a/b_c.d~e", "ftp://h:21/a/b_c.d~e/"},
		{"ftp://[::1]/a/", "ftp://[::1]:21/a/"},
		{"ftp://n:s@h:1/", "ftp://h:1/"},
		{"http://h", ""}, {"h:21", ""}, {"ftp:h", ""}, {"ftp:///x", ""}, {"", ""}, {"ftp://h/a//b", ""},
		{"ftp://h/../a", ""},
		{"ftp://h/./a", ""}, {"ftp://h/%41", ""}, {"ftp://h/a b", ""}, {"ftp://h/a?", ""}, {"ftp://h/a?b", ""},
		{"ftp://h/a#b", ""}, {"ftp://h//", ""},
	} {
		s, err := store.Config{URL: c.url, Credentials: store.Credentials{Name: "n", Secret: "s"}}.Server("ftp", "21")
		if c.root == "" {
			if outcome, class := flows.OutcomeOf(err); outcome != flows.Failed || class != flows.Unreachable {
				t.Errorf("%q is %+v, %v; want a failure", c.url, s, err)
			}
			continue
		}
		if err != nil || s.Root() != c.root || s.Credentials != (store.Credentials{Name: "n", Secret: "s"}) {
			t.Errorf("%q is %+v, %v; want %s", c.url, s, err, c.root)
		}
	}
}

// FuzzServer looks for a URL that is taken in spite of what nobody could rely on,
// and for one whose secret gets out.
func FuzzServer(f *testing.F) {
	for _, seed := range []string{
		"ftp://h:1/a/", "ftp://n:hunter2@h/a", "ftp://n:hunter2@", "ftp://h/hunter2%zz", "//hunter2",
		"ftp://h/?hunter2",
		"ftp://h/#hunter2", "ftp:hunter2@h", "ftp://hunter2", "ftp://[::1%25hunter2]/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		s, err := store.Config{URL: address}.Server("ftp", "21")
		if err != nil {
			if outcome, class := flows.OutcomeOf(err); outcome != flows.Failed || class != flows.Unreachable {
				t.Fatalf("%q ends as %v", address, err)
			}
			return
		}
		u, err := url.Parse(s.Root())
		if err != nil || u.Scheme != "ftp" || u.Host != s.Host || u.User != nil || u.Path != s.Path ||
			u.RawQuery != "" || u.Fragment != "" || u.Port() == "" ||
			path.Clean("/"+u.Path) != "/"+strings.Trim(u.Path, "/") {
			t.Fatalf("%q is taken for %+v, whose root means %+v, %v", address, s, u, err)
		}
	})
}
