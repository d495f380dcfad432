package httpstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/folder"
)

// A server is a file server for the objects of one session. It listens on loopback,
// knows no directories and no users, and has files of the session's names only. A
// file is there when all of it has arrived.
type server struct {
	config   store.Config
	listener net.Listener
	folder   *folder.Folder
	http     *http.Server
	ended    chan error

	serving sync.RWMutex // read-locked by requests, so that none is left at the end
	closed  bool
}

// A transfer may take long over a path that is hurt, but not for ever.
const (
	headerPatience   = 10 * time.Second
	transferPatience = 10 * time.Minute
	idlePatience     = 2 * time.Minute // more than that of parties, who must be the ones to close
	closePatience    = time.Second
)

// listen finds a port.
func listen(cfg store.Config) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, flows.Fail(flows.Internal, fmt.Errorf("listen: %w", err))
	}
	return &server{config: cfg, listener: l, ended: make(chan error, 1)}, nil
}

func (s *server) address() string { return s.listener.Addr().String() }

// serve begins to serve the objects of a place.
func (s *server) serve(place store.Place) error {
	f, err := folder.Open(s.config.Dir, place, s.config.MaxBytes)
	if err != nil {
		return err
	}
	s.folder = f
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       transferPatience,
		WriteTimeout:      transferPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	go func() { s.ended <- s.http.Serve(s.listener) }()
	return nil
}

// close ends the server and deletes its files.
func (s *server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closePatience)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // it has said what there is to say
	}
	err := <-s.ended
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	s.serving.Lock() // requests have lost their connections, so they end
	s.closed = true
	s.serving.Unlock()
	return errors.Join(err, s.folder.Close())
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.RLock()
	defer s.serving.RUnlock()
	if s.closed {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	object := strings.TrimPrefix(r.URL.Path, "/")
	var err error
	switch r.Method {
	case http.MethodPut:
		err = s.put(w, r, object)
	case http.MethodGet, http.MethodHead:
		err = s.get(w, r, object)
	case http.MethodDelete:
		if err = s.folder.Delete(object); err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
	}
}

func (s *server) put(w http.ResponseWriter, r *http.Request, object string) error {
	if r.ContentLength < 0 {
		w.WriteHeader(http.StatusLengthRequired)
		return nil
	}
	if err := s.folder.Write(object, r.ContentLength, r.Body); err != nil {
		if r.Header.Get("Expect") == "" {
			_, _ = io.CopyN(io.Discard, r.Body, announced) // who does not wait for an answer must be able to read it
		}
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *server) get(w http.ResponseWriter, r *http.Request, object string) error {
	file, _, err := s.folder.Open(object)
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

// statusOf returns the status that says the same as an error, as far as one can.
func statusOf(err error) int {
	if errors.Is(err, flows.ErrNoObject) {
		return http.StatusNotFound
	}
	switch _, class := flows.OutcomeOf(err); class {
	case flows.Rejected:
		return http.StatusForbidden
	case flows.Overloaded:
		return http.StatusInsufficientStorage
	case flows.Disconnected:
		return http.StatusBadRequest
	default:
		return http.StatusInternalServerError
	}
}
