package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	maxStreams = 16                     // browsers that are told of changes at once, by one server
	apart      = 250 * time.Millisecond // between two messages to one browser
	silence    = 15 * time.Second       // after which a browser is told that there is nothing new
	slow       = 5 * time.Second        // that a browser has to take a message
)

// A teller knows how a run is doing.
type teller interface {
	// tell returns the figures and their version as soon as there is one newer than
	// seen. It returns the error of ctx if that ends first.
	tell(ctx context.Context, seen uint64) (Figures, uint64, error)
}

// A source returns the next message for a browser, or the context's error if there
// is none until it ends. The last message of all comes with last.
type source func(ctx context.Context) (message any, last bool, err error)

// figuresOf returns what a browser is told of how a run is doing.
func figuresOf(t teller) source {
	var seen uint64
	seq := int64(-1)
	return func(ctx context.Context) (any, bool, error) {
		f, version, err := t.tell(ctx, seen)
		if err != nil {
			return nil, false, err
		}
		m := f.message(seq)
		seen = version
		if n := len(f.Points); n > 0 {
			seq = f.Points[n-1].Seq
		}
		return m, f.Over, nil
	}
}

// A streamer sends browsers what changes, as server-sent events.
type streamer struct {
	slots chan struct{}
	slow  time.Duration
}

func newStreamer() *streamer { return &streamer{make(chan struct{}, maxStreams), slow} }

// watching returns how many browsers are being told.
func (s *streamer) watching() int { return len(s.slots) }

// serve sends the messages of a source until it ends, the browser goes, or takes one
// too slowly. What changes while a message is written is not queued: the next
// message has the latest.
func (s *streamer) serve(w http.ResponseWriter, r *http.Request, next source) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d browsers are watching already; close one", maxStreams),
			http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	// The first bytes tell the browser that all is well, before there is any news.
	if !s.send(w, []byte(": flowbench\n\n")) {
		return
	}
	for {
		ctx, cancel := context.WithTimeout(r.Context(), silence)
		m, last, err := next(ctx)
		cancel()
		text := []byte(":\n\n")
		switch {
		case err == nil:
			b, err := json.Marshal(m)
			if err != nil {
				return
			}
			text = append(append([]byte("data: "), b...), "\n\n"...)
		case r.Context().Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return
		}
		if !s.send(w, text) {
			return
		}
		if last {
			<-r.Context().Done() // the browser closes when it has what it wants; see Server.Close
			return
		}
		select {
		case <-time.After(apart):
		case <-r.Context().Done():
			return
		}
	}
}

// send writes text and reports whether the browser took it in time.
func (s *streamer) send(w http.ResponseWriter, text []byte) bool {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(s.slow)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := w.Write(text); err != nil {
		return false
	}
	return control.Flush() == nil
}
