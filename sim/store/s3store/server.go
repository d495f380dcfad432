package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rclone/gofakes3"

	"flowbench/sim/store"
)

// A server is the S3 server inside this process, on loopback. It lets in who signs
// with its credentials, which are new each time.
type server struct {
	credentials store.Credentials
	shelf       *shelf
	root        *os.Root
	listener    net.Listener
	http        *http.Server
	running     sync.WaitGroup // what accepts connections, and every connection
}

func serve(dir string, maxBytes int64) (*server, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	s := &server{
		credentials: store.Credentials{Name: "flowbench", Secret: rand.Text()},
		shelf:       newShelf(root, bucket, maxBytes),
		root:        root,
		listener:    l,
	}
	taken := map[string]string{s.credentials.Name: s.credentials.Secret}
	s3 := gofakes3.New(s.shelf, gofakes3.WithV4Auth(taken)).Server()
	s.http = &http.Server{
		Handler: s3,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // said by what accepts, so somebody is running
				s.running.Add(1)
			case http.StateClosed:
				s.running.Done()
			}
		},
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong they are told
	}
	s.running.Go(func() { _ = s.http.Serve(l) }) // until stop
	return s, nil
}

func (s *server) address() string { return s.listener.Addr().String() }

// stop ends all connections, waits for them to be over, and removes the objects. A
// connection on which a body was refused takes the half second that package http
// gives clients to hear of it.
func (s *server) stop(ctx context.Context) error {
	_ = s.http.Close() // connections that are cut have nothing more to say
	over := make(chan struct{})
	go func() {
		s.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
		return fmt.Errorf("stop the S3 server: %w", ctx.Err())
	}
	return errors.Join(s.shelf.clear(), s.root.Close())
}
