package ftpstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/ftpstore"
)

// A liar is an FTP server that answers as a test wants. To what nobody has thought
// of it says what the client hopes for.
type liar struct {
	listener net.Listener
	answers  map[string]string // by verb; %d is the port for data
	content  string            // what a reader gets

	mu   sync.Mutex
	work sync.WaitGroup
	open []io.Closer
}

func startLiar(t *testing.T, answers map[string]string, content string) *liar {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &liar{listener: l, answers: answers, content: content}
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.keep(conn)
			s.work.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.work.Wait()
	})
	return s
}

func (s *liar) keep(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, c)
}

func (s *liar) serve(conn net.Conn) {
	data, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return
	}
	s.keep(data)
	port := data.Addr().(*net.TCPAddr).Port
	usual := map[string]string{
		"USER": "331 name?", "PASS": "230 in", "FEAT": "500 no", "EPSV": fmt.Sprintf("229 (|||%d|)", port),
		"RETR": "150 now", "STOR": "150 now", "CWD": "250 ok", "": "226 done",
	}
	fmt.Fprint(conn, "220 hello\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, _, _ := strings.Cut(lines.Text(), " ")
		answer, special := s.answers[verb]
		if !special {
			answer = usual[verb]
		}
		if answer == "" {
			answer = "200 ok"
		}
		if strings.Contains(answer, "%d,%d") {
			answer = fmt.Sprintf(answer, port>>8, port&255)
		}
		fmt.Fprintf(conn, "%s\r\n", answer)
		if !strings.HasPrefix(answer, "150") {
			continue
		}
		to, err := data.Accept()
		if err != nil {
			return
		}
		if verb == "RETR" {
			_, _ = io.WriteString(to, s.content)
		} else {
			_, _ = io.Copy(io.Discard, to)
		}
		_ = to.Close()
		end, special := s.answers["end"]
		if !special {
			end = usual[""]
		}
		fmt.Fprintf(conn, "%s\r\n", end)
	}
}

func (s *liar) url() string { return "ftp://somebody:hunter2@" + s.listener.Addr().String() + "/" }

// getFrom gets an object from a liar and returns what was dialled.
func getFrom(t *testing.T, s *liar) (content string, dialled []string, err error) {
	t.Helper()
	cfg := config(t, s.url())
	var mu sync.Mutex
	dial := cfg.Dial
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		dialled = append(dialled, address)
		mu.Unlock()
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &elsewhere{c}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o, stop := connect(t, ctx, cfg)
	defer stop()
	r, err := o.Get(ctx, "ftp://"+s.listener.Addr().String()+"/t.object", flows.Span{})
	if err != nil {
		return "", dialled, err
	}
	all, err := io.ReadAll(r)
	return string(all), dialled, errors.Join(err, r.Close())
}

// elsewhere is a connection that leads over something with another address.
type elsewhere struct{ net.Conn }

func (*elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9), Port: 9} }

func connect(t *testing.T, ctx context.Context, cfg store.Config) (flows.Objects, func()) {
	t.Helper()
	s, err := ftpstore.New().Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Connect(ctx, "party")
	if err != nil {
		t.Fatal(err)
	}
	return o, func() { _ = errors.Join(o.Close(), s.Close(context.Background())) }
}

func TestAServerCannotSendItsClientsElsewhere(t *testing.T) {
	s := startLiar(t, map[string]string{"EPSV": "500 no", "PASV": "227 (10,1,2,3,%d,%d)"}, "content")
	content, dialled, err := getFrom(t, s)
	if err != nil || content != "content" {
		t.Errorf("got %q, %v; want the content", content, err)
	}
	for _, address := range dialled {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			t.Errorf("dialled %s because the server said so", address)
		}
	}
	if len(dialled) < 3 {
		t.Errorf("dialled %q; want connections for commands and for data", dialled)
	}
}

func TestATransferThatTheServerCallsBrokenIsNoEnd(t *testing.T) {
	for _, end := range []string{"426 broken", "451 disk", "551 what"} {
		content, _, err := getFrom(t, startLiar(t, map[string]string{"end": end}, "cont"))
		if o, _ := flows.OutcomeOf(err); err == nil || o != flows.Failed {
			t.Errorf("got %q, %v from a server that ends with %s; want a failure", content, err, end)
		}
	}
}

func TestWhatServersSayIsNotRepeated(t *testing.T) {
	const secret = "hunter2"
	for verb, answer := range map[string]string{
		"USER": "530 somebody hunter2 is not known", "PASS": "530 hunter2 is wrong", "RETR": "553 hunter2",
		"EPSV": "hunter2", "end": "426 hunter2",
	} {
		s := startLiar(t, map[string]string{verb: answer}, "")
		cfg := config(t, s.url())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		session, err := ftpstore.New().Open(ctx, cfg)
		if err == nil {
			err = session.Close(ctx)
			if verb != "USER" && verb != "PASS" {
				_, _, err = getFrom(t, s)
			}
		}
		cancel()
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("with %q for %s the error is %v; want one that does not repeat it", answer, verb, err)
		}
	}
}

func TestAnUploadOfWhichTheServerHasOnlyAPartIsAnError(t *testing.T) {
	for size, fine := range map[string]bool{"213 10": true, "213 9": false, "213 11": false, "550 what": false} {
		s := startLiar(t, map[string]string{"SIZE": size, "RNFR": "350 to?", "RNTO": "250 ok"}, "")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		o, stop := connect(t, ctx, config(t, s.url()))
		_, err := o.Put(ctx, "object", 10, strings.NewReader("0123456789"))
		if o, _ := flows.OutcomeOf(err); (err == nil) != fine || err != nil && o != flows.Failed {
			t.Errorf("a put of 10 bytes whose server says %q ends as %v", size, err)
		}
		stop()
		cancel()
	}
}
