package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"
)

// A Site serves the run in one directory, or all runs in the directories of one.
// It reads below that directory and writes nothing.
type Site struct {
	root    *os.Root
	many    bool // the root holds runs, and is none itself
	pages   *pages
	streams *streamer
	feed    *Feed // of the one run, if it is one of this process

	list *list

	mu        sync.Mutex
	followers map[string]*following
}

// following is a follower with the number of those who ask it.
type following struct {
	follower
	askers int
}

// Open returns a site for dir: the run in it, or the runs in its directories.
func Open(dir string) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	s := newSite(root, paint)
	if _, err := root.Stat(runFile); errors.Is(err, fs.ErrNotExist) {
		s.many, s.list = true, newList(root)
	}
	return s, nil
}

// OpenFeed returns a site for the run in dir, which is one of this process. Pages are
// drawn by paint.
func OpenFeed(dir string, f *Feed, paint Painter) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	s := newSite(root, paint)
	s.feed = f
	return s, nil
}

func newSite(root *os.Root, paint Painter) *Site {
	return &Site{
		root: root, pages: newPages(paint), streams: newStreamer(), followers: make(map[string]*following),
	}
}

// Close closes the directory. No request may be under way.
func (s *Site) Close() error { return s.root.Close() }

// Many reports whether the site is one of several runs.
func (s *Site) Many() bool { return s.many }

// Handler returns what answers for the site.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	if s.many {
		mux.HandleFunc("/{$}", s.serveList)
		mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) { s.streams.serve(w, r, s.list.next()) })
		mux.HandleFunc("/runs/{run}/{$}", s.serveRun)
		mux.HandleFunc("/runs/{run}/events", s.serveEvents)
	} else {
		mux.HandleFunc("/{$}", s.serveRun)
		mux.HandleFunc("/events", s.serveEvents)
	}
	return mux
}

// Dismiss waits until all browsers that were told of the end of the run have fetched
// what came of it and gone, or ctx ends.
func (s *Site) Dismiss(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.streams.watching() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// runRoot opens the directory of a run. A name is one name, and leads nowhere else.
func (s *Site) runRoot(name string) (*os.Root, error) {
	if !s.many {
		return s.root.OpenRoot(".")
	}
	if !plainName(name) {
		return nil, fs.ErrNotExist
	}
	return s.root.OpenRoot(name)
}

// plainName reports whether a name is that of an entry of a directory, on any system.
func plainName(name string) bool {
	if name == "" || name[0] == '.' || len(name) > 255 {
		return false
	}
	for _, c := range name {
		if c == '/' || c == '\\' || c == ':' || c < ' ' {
			return false
		}
	}
	return true
}

func (s *Site) serveRun(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("run")
	root, err := s.runRoot(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer root.Close() // nothing was written, so closing has nothing to say
	page, err := s.pages.get(r.Context(), name, root)
	if err != nil {
		s.sayWhy(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // a browser that has gone has gone
}

// sayWhy answers for a run that cannot be shown.
func (s *Site) sayWhy(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	http.Error(w, "the run cannot be shown: "+err.Error(), http.StatusInternalServerError)
}

func (s *Site) serveEvents(w http.ResponseWriter, r *http.Request) {
	if s.feed != nil {
		s.streams.serve(w, r, figuresOf(s.feed))
		return
	}
	name := r.PathValue("run")
	root, err := s.runRoot(name)
	if err == nil {
		_, err = root.Stat(runFile)
		_ = root.Close() // nothing was written
	}
	if err != nil {
		http.NotFound(w, r)
		return
	}
	f := s.follow(name)
	defer s.unfollow(name)
	s.streams.serve(w, r, figuresOf(f))
}

// follow returns the follower of a run, which all who ask share.
func (s *Site) follow(name string) *follower {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.followers[name]
	if f == nil {
		f = &following{follower: follower{open: func() (*os.Root, error) { return s.runRoot(name) }}}
		s.followers[name] = f
	}
	f.askers++
	return &f.follower
}

func (s *Site) unfollow(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.followers[name]
	if f.askers--; f.askers == 0 {
		delete(s.followers, name)
	}
}
