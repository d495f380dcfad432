package httpstore_test

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/sim/store"
	"flowbench/sim/store/httpstore"
	"flowbench/sim/store/storetest"
)

// TestTheServerOfOthersConforms runs the suite against an Apache with WebDAV, which
// knows nothing of this program and asks for a password. Without one there is
// nothing to run, which is an error in CI.
func TestTheServerOfOthersConforms(t *testing.T) {
	for _, file := range []string{apache, filepath.Join(modules, "mod_dav_fs.so")} {
		if _, err := os.Stat(file); err != nil {
			without := t.Skipf
			if os.Getenv("CI") == "true" {
				without = t.Fatalf
			}
			without("run an Apache, which Debian has in apache2-bin: %v", err)
		}
	}
	credentials := store.Credentials{Name: "somebody", Secret: rand.Text()}
	url := serveDAV(t, credentials)
	storetest.Test(t, func(*testing.T) storetest.Bench {
		return storetest.Bench{Driver: httpstore.New(), URL: url, Credentials: credentials}
	})
}

// Where Debian has them.
const (
	apache  = "/usr/sbin/apache2"
	modules = "/usr/lib/apache2/modules"
)

// serveDAV runs an Apache for the length of a test, in a directory of its own and on
// loopback, and returns the URL of a folder that is only for those with credentials.
func serveDAV(t *testing.T, c store.Credentials) (url string) {
	t.Helper()
	//nolint:usetesting // An Apache without rights cannot enter what is in the directory of a test.
	dir, err := os.MkdirTemp("", "httpstore-apache-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	address := freePort(t)
	sum := sha1.Sum([]byte(c.Secret))
	write(t, filepath.Join(dir, "passwords"), c.Name+":{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n")
	write(t, filepath.Join(dir, "httpd.conf"), configuration(dir, address))
	for _, folder := range []string{"files", "files/folder", "locks"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	openTo(t, dir)
	var said strings.Builder
	cmd := exec.Command(apache, "-d", dir, "-f", filepath.Join(dir, "httpd.conf"), "-D", "FOREGROUND")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 10*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // should the test not come to its end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // with its children; it may have ended by itself
		<-ended
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "errors"))
			t.Logf("Apache says: %s%s", said.String(), text)
		}
	})
	awaitPort(t, address, ended)
	return "http://" + address + "/folder"
}

// configuration returns an Apache's configuration, of no more than it needs.
func configuration(dir, address string) string {
	var b strings.Builder
	for _, m := range []string{
		"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs",
	} {
		fmt.Fprintf(&b, "LoadModule %s_module %s/mod_%s.so\n", m, modules, m)
	}
	fmt.Fprintf(&b, `Listen %s
ServerName localhost
PidFile %[2]s/pid
ErrorLog %[2]s/errors
DefaultRuntimeDir %[2]s
DocumentRoot %[2]s/files
DavLockDB %[2]s/locks/db
User www-data
Group www-data
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 120
StartServers 1
<Directory %[2]s/files>
Dav On
AuthType Basic
AuthName test
AuthUserFile %[2]s/passwords
Require valid-user
</Directory>
`, address, dir)
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// openTo lets an Apache into its directory that has given up its rights, as one
// does that was started by root.
func openTo(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for path, mode := range map[string]os.FileMode{
		".": 0o755, "passwords": 0o644, "files": 0o777, "files/folder": 0o777, "locks": 0o777,
	} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// freePort returns an address of loopback at which nothing listens at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitPort waits until somebody listens.
func awaitPort(t *testing.T, address string, ended chan error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close() // it was to see whether it can be made
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Apache has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("Apache does not listen: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}
