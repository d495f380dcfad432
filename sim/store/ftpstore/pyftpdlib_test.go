package ftpstore_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowbench/sim/store"
	"flowbench/sim/store/ftpstore"
	"flowbench/sim/store/storetest"
)

// program runs pyftpdlib, which nobody of ours has written, for one user and on
// loopback. It says at which port, and ends with its standard input.
const program = `
import os, sys, threading
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user(os.environ["FTP_NAME"], os.environ["FTP_SECRET"], sys.argv[1], perm="elradfmwMT")
FTPHandler.auth_failed_timeout = 0
server = FTPServer(("127.0.0.1", 0), FTPHandler)
def wait():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
print(server.address[1], flush=True)
server.serve_forever(handle_exit=False)
`

// python is Debian's, which its packages are installed for.
const python = "/usr/bin/python3"

// startPython starts a server with files in dir. Without one on this machine the
// test is skipped, unless it runs in CI, which installs it.
func startPython(t *testing.T, dir string, login store.Credentials) (address string) {
	t.Helper()
	if err := exec.Command(python, "-c", "import pyftpdlib").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no pyftpdlib: %v", err)
		}
		t.Skip("there is no pyftpdlib; Debian's package is python3-pyftpdlib")
	}
	cmd := exec.Command(python, "-c", program, dir)
	cmd.Env = append(os.Environ(), "FTP_NAME="+login.Name, "FTP_SECRET="+login.Secret)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("read the port of the server: %v", err)
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
}

// TestTheStoreOnAServerOfSomebodyElsesConforms has the files in a directory below
// the one where the login ends.
func TestTheStoreOnAServerOfSomebodyElsesConforms(t *testing.T) {
	login := store.Credentials{Name: "somebody", Secret: rand.Text()}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "deep", "down"), 0o700); err != nil {
		t.Fatal(err)
	}
	at := startPython(t, dir, login)
	storetest.Test(t, func(*testing.T) storetest.Bench {
		return storetest.Bench{Driver: ftpstore.New(), URL: "ftp://" + at + "/deep/down", Credentials: login}
	})
	left, err := filepath.Glob(filepath.Join(dir, "deep", "down", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left on the server: %q, %v; want nothing", left, err)
	}
}

func TestADirectoryThatIsNotThereIsAnErrorAndCredentialsMayBeInTheURL(t *testing.T) {
	login := store.Credentials{Name: "some:body", Secret: "with/@:%"}
	at := startPython(t, t.TempDir(), login)
	u := url.URL{Scheme: "ftp", User: url.UserPassword(login.Name, login.Secret), Host: at}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := ftpstore.New().Open(ctx, config(t, u.String()))
	if err != nil {
		t.Fatalf("open with credentials in the URL: %v", err)
	}
	if e := s.Endpoint(); e != "ftp://"+at+"/" {
		t.Errorf("the endpoint is %s; want it without credentials", e)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if s, err = ftpstore.New().Open(ctx, config(t, u.String()+"/nowhere")); err == nil {
		_ = s.Close(ctx)
		t.Error("opened a directory that is not there")
	} else if !strings.Contains(err.Error(), "550") || strings.Contains(err.Error(), "with/") {
		t.Errorf("the error is %v; want the server's reply and no credentials", err)
	}
}
