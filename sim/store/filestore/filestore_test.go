package filestore_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/filestore"
	"flowbench/sim/store/storetest"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheStoreInADirectoryConforms(t *testing.T) {
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: filestore.New()} })
}

func open(t *testing.T, dir string) (store.Session, flows.Objects) {
	t.Helper()
	s, err := filestore.New().Open(t.Context(), store.Config{
		Prefix: "run", Dir: dir, MaxBytes: 1000, Dial: wire.Loopback(), Meter: &store.Meter{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Connect(t.Context(), "party")
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func TestAClosedSessionLeavesTheDirectoryAsItWas(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "of-others"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, o := open(t, dir)
	uri, err := o.Put(t.Context(), "object", 3, strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if uri != "file:run.object" || strings.Contains(s.Endpoint(), dir) {
		t.Errorf("the address is %s at %s; want file:run.object and nothing of the directory", uri, s.Endpoint())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || len(left) != 1 || left[0] != "of-others" {
		t.Errorf("%q are left, %v; want what was there before", left, err)
	}
}

// TestALinkOutOfTheDirectoryLeadsNowhere has somebody else at work in the directory.
func TestALinkOutOfTheDirectoryLeadsNowhere(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "run.link")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	s, o := open(t, dir)
	body, err := o.Get(t.Context(), "file:run.link", flows.Span{})
	if err == nil {
		_ = body.Close() // it should not be there at all
		t.Error("got what is outside of the directory")
	} else if strings.Contains(err.Error(), dir) {
		t.Errorf("the error names the directory: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what is outside has not survived: %v", err)
	}
}
