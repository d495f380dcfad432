package ftpserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
	"go.uber.org/goleak"

	"flowbench/sim/store/ftpstore/ftpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func start(t testing.TB, maxBytes int64) (*ftpserver.Server, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := ftpserver.Start(ftpserver.Config{Dir: dir, MaxBytes: maxBytes, Name: "name", Secret: "secret",
		DataWait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left after close: %v, %v; want nothing", left, err)
		}
	})
	return s, dir
}

func logIn(t testing.TB, s *ftpserver.Server) *ftp.ServerConn {
	t.Helper()
	c, err := ftp.Dial(s.Address(), ftp.DialWithTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login("name", "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Quit() })
	return c
}

func expectReply(t *testing.T, what string, err error, code int) {
	t.Helper()
	var r *textproto.Error
	if !errors.As(err, &r) || r.Code != code {
		t.Errorf("%s ends as %v; want reply %d", what, err, code)
	}
}

func TestNobodyGetsInWithoutTheSecret(t *testing.T) {
	s, _ := start(t, 100)
	for _, login := range [][2]string{{"name", ""}, {"name", "Secret"}, {"", "secret"}, {"anonymous", "secret"}} {
		c, err := ftp.Dial(s.Address(), ftp.DialWithTimeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		expectReply(t, fmt.Sprintf("login as %q", login), c.Login(login[0], login[1]), 530)
		expectReply(t, "a delete by nobody", c.Delete("x"), 530)
		_, err = c.Retr("x")
		expectReply(t, "a read by nobody", err, 530)
		_ = c.Quit()
	}
}

func TestWhatIsWrittenIsThereOnceAndNowhereElse(t *testing.T) {
	s, dir := start(t, 100)
	c := logIn(t, s)
	for _, bad := range []string{"..", "../x", "a/b", "/a/b", ".hidden", "", "a\x00b", "ä", strings.Repeat("x", 300)} {
		if err := c.Stor(bad, strings.NewReader("content")); err == nil {
			t.Errorf("stored %q", bad)
		}
	}
	if err := c.Stor("a.part", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	if err := c.Rename("a.part", "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Stor("b", strings.NewReader("other")); err != nil {
		t.Fatal(err)
	}
	expectReply(t, "renaming over another file", c.Rename("b", "a"), 553)
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(found) != 2 {
		t.Errorf("there are %q, %v; want a and b", found, err)
	}
	for offset, want := range map[uint64]string{0: "content", 3: "tent", 7: "", 1 << 62: ""} {
		r, err := c.RetrFrom("a", offset)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want || r.Close() != nil {
			t.Errorf("from %d on it is %q, %v; want %q", offset, got, err, want)
		}
	}
	_, err = c.Retr("c")
	expectReply(t, "reading what is not there", err, 550)
}

func TestAllFilesTogetherAreBounded(t *testing.T) {
	s, dir := start(t, 1000)
	c := logIn(t, s)
	half := strings.Repeat("x", 500)
	for _, name := range []string{"a", "b"} {
		if err := c.Stor(name, strings.NewReader(half)); err != nil {
			t.Fatal(err)
		}
	}
	expectReply(t, "a byte too many", c.Stor("c", strings.NewReader("x")), 552)
	if _, err := os.Stat(filepath.Join(dir, "c")); err == nil {
		t.Error("what was too large is still there")
	}
	for range 3 { // each time there is room for it, since what it replaces goes
		if err := c.Delete("b"); err != nil {
			t.Fatal(err)
		}
		if err := c.Stor("b", strings.NewReader(half)); err != nil {
			t.Errorf("there is no room after a delete: %v", err)
		}
	}
	if err := c.Stor("b", strings.NewReader(half)); err != nil {
		t.Errorf("there is no room for what replaces as much: %v", err)
	}
}

func TestEverythingListensOnThisMachineOnly(t *testing.T) {
	s, _ := start(t, 100)
	conn, lines := raw(t, s)
	for verb, format := range map[string]string{"EPSV": "229 Entering Extended Passive Mode (|||%d|)",
		"PASV": "227 Entering Passive Mode (127,0,0,1,%d,%d)"} {
		fmt.Fprintf(conn, "%s\r\n", verb)
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var port, low int
		if _, err := fmt.Sscanf(line, format, &port, &low); verb == "PASV" {
			port = port<<8 | low
		} else if port == 0 {
			t.Fatalf("%s is answered by %q, %v", verb, line, err)
		}
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.2:%d", port)); err != nil {
			t.Errorf("nobody else can listen at port %d of another address: %v", port, err)
		} else {
			_ = l.Close()
		}
	}
}

// raw logs in by hand.
func raw(t testing.TB, s *ftpserver.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	lines := bufio.NewReader(conn)
	fmt.Fprint(conn, "USER name\r\nPASS secret\r\n")
	for range 3 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return conn, lines
}

func TestALineWithoutEndEndsTheSession(t *testing.T) {
	s, _ := start(t, 100)
	conn, lines := raw(t, s)
	_, _ = conn.Write(make([]byte, 4096)) // it may be cut off in the middle
	line, err := lines.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "500") {
		t.Errorf("the answer is %q; want 500", line)
	}
	if _, err = lines.ReadString('\n'); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the session goes on (%v)", err)
	}
}

// TestCloseEndsWhatIsUnderWay has a session in each state in which it waits.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	s, _ := start(t, 1<<20)
	raw(t, s)
	waiting, lines := raw(t, s)
	fmt.Fprint(waiting, "EPSV\r\nSTOR a\r\n") // and nobody connects
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	uploading := logIn(t, s)
	body, more := io.Pipe()
	stored := make(chan error, 1)
	go func() { stored <- uploading.Stor("b", body) }()
	if _, err := more.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("close waits for what is under way")
	}
	_ = more.Close()
	if err := <-stored; err == nil {
		t.Error("an upload that was ended by the server's end succeeded")
	}
}
