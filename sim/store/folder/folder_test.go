package folder_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/folder"
)

func open(t *testing.T, dir string, bytes int64) *folder.Folder {
	t.Helper()
	place, err := store.NewPlace("file:", "run")
	if err != nil {
		t.Fatal(err)
	}
	f, err := folder.Open(dir, place, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func listed(t *testing.T, dir string) string {
	t.Helper()
	names, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// TestAFileHasItsNameWhenItIsWhole looks into the directory while a body is read.
func TestAFileHasItsNameWhenItIsWhole(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, 100)
	var during string
	body := io.MultiReader(strings.NewReader("ab"), readerFunc(func(p []byte) (int, error) {
		during = listed(t, dir)
		return copy(p, "c"), io.EOF
	}))
	if err := f.Write("run.x", 3, body); err != nil {
		t.Fatal(err)
	}
	if after := listed(t, dir); during != ".part-1" || after != "run.x" {
		t.Errorf("the directory has %q during and %q after the write", during, after)
	}
	cause := errors.New("dry")
	err := f.Write("run.y", 3, io.MultiReader(strings.NewReader("ab"), readerFunc(func([]byte) (int, error) {
		return 0, cause
	})))
	if !errors.Is(err, cause) || listed(t, dir) != "run.x" {
		t.Errorf("a write that breaks ends as %v and leaves %q", err, listed(t, dir))
	}
	if err := f.Write("run.x", 1, strings.NewReader("z")); err == nil {
		t.Error("an object was written again")
	}
	if err := f.Close(); err != nil || listed(t, dir) != "" {
		t.Errorf("after closing there is %q, %v; want nothing", listed(t, dir), err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNothingButObjectsOfThePlaceIsReached(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, 100)
	for _, name := range []string{
		"", ".", "..", "x", "run.", "../run.x", "run.x/..", "/run.x", ".part-1", "run.x.y", `run.\x`,
	} {
		_, _, opening := f.Open(name)
		for what, err := range map[string]error{
			"write": f.Write(name, 1, strings.NewReader("x")), "open": opening, "delete": f.Delete(name),
		} {
			if !errors.Is(err, flows.ErrForeign) {
				t.Errorf("%s %q ends as %v", what, name, err)
			}
		}
	}
	if left := listed(t, dir); left != "" {
		t.Errorf("the directory has %q", left)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestRoomIsGivenBackOnce deletes the same objects many times at once.
func TestRoomIsGivenBackOnce(t *testing.T) {
	f := open(t, t.TempDir(), 10)
	for round := range 20 {
		name := fmt.Sprintf("run.x%d", round)
		if err := f.Write(name, 10, strings.NewReader("0123456789")); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := f.Delete(name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if err := f.Write("run.y", 10, strings.NewReader("0123456789")); err != nil {
		t.Error(err)
	}
	if _, class := flows.OutcomeOf(f.Write("run.z", 1, strings.NewReader("x"))); class != flows.Overloaded {
		t.Errorf("a full folder says %q; want that it is overloaded", class)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
