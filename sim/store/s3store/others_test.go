package s3store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"flowbench/sim/store"
	"flowbench/sim/store/storetest"
	"flowbench/sim/wire"
)

// installed returns the path of a program, whose absence is an error in CI.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// program runs a program in dir and returns what it says.
func program(t *testing.T, dir, name string, args ...string) (text string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.WaitDelay = dir, 10*time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

// gateway is the server that the client is tested against: a product, with its
// own implementation of all there is, on a folder.
const gateway = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// TestTheServerOfOthersAgrees runs the whole suite against versitygw, which checks
// signatures. CI builds it, which takes minutes at first; elsewhere it runs if it
// is installed.
func TestTheServerOfOthersAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("the gateway takes long to build")
	}
	taken := store.Credentials{Name: "flowbench", Secret: rand.Text()}
	address := serving(t, built(t), taken)
	client, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4(taken.Name, taken.Secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := client.MakeBucket(t.Context(), "others", minio.MakeBucketOptions{})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("make a bucket: %v", err)
		}
	}
	storetest.Test(t, func(*testing.T) storetest.Bench {
		return storetest.Bench{Driver: New(), URL: "s3://" + address + "/others", Credentials: taken}
	})
	cfg := config(t)
	cfg.URL, cfg.Credentials = "s3://"+address+"/nowhere", taken
	if _, err := open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "nowhere is not there") {
		t.Errorf("opening a bucket that is not there ends as %v", err)
	}
}

// built returns where the gateway is.
func built(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	if os.Getenv("CI") != "true" {
		t.Skipf("there is no versitygw; go install %s", gateway)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "install", gateway)
	c.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", gateway, err, text)
	}
	return filepath.Join(dir, "versitygw")
}

// serving runs the gateway on a port that was free a moment ago: it takes no
// other.
func serving(t *testing.T, path string, taken store.Credentials) (address string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	c := exec.Command(path, "--port", address, "--quiet", "--keep-alive",
		"posix", "--sidecar", t.TempDir(), t.TempDir())
	c.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+taken.Name, "ROOT_SECRET_KEY="+taken.Secret)
	c.Stdout, c.Stderr, c.WaitDelay = &said, &said, 10*time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it keeps nothing that anybody wants
		_ = c.Wait()         // which tells that it was killed
		if t.Failed() {
			t.Logf("versitygw says:\n%s", said.String())
		}
	})
	return address
}

// config returns what a session of its own needs.
func config(t testing.TB) store.Config {
	return store.Config{
		Prefix: "own", Dir: t.TempDir(), MaxBytes: 256 << 20, Dial: wire.Loopback(), Meter: &store.Meter{},
		Log: slog.New(slog.DiscardHandler),
	}
}

// TestTheClientOfOthersAgrees has s3cmd put, get, list and delete at the server
// inside, in one piece and in parts.
func TestTheClientOfOthersAgrees(t *testing.T) {
	s3cmd := installed(t, "s3cmd")
	dir := t.TempDir()
	s, err := serve(t.TempDir(), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(context.Background()); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	config := filepath.Join(dir, "s3cmd.ini")
	options := func(secret string) string {
		return "[default]\naccess_key = " + s.credentials.Name + "\nsecret_key = " + secret + "\nhost_base = " +
			s.address() + "\nhost_bucket = " + s.address() + "\nuse_https = False\nmultipart_chunk_size_mb = 5\n"
	}
	write(t, config, options(s.credentials.Secret))
	run := func(args ...string) string {
		t.Helper()
		text, err := program(t, dir, s3cmd, append([]string{"--config", config, "--no-progress"}, args...)...)
		if err != nil || strings.Contains(text, "WARNING") {
			t.Fatalf("s3cmd %q: %v\n%s", args, err, text)
		}
		return text
	}
	for name, size := range map[string]int64{"empty": 0, "small": 65_537, "parts": 12<<20 + 1} {
		file, uri := filepath.Join(dir, name), "s3://"+bucket+"/folder/"+name
		write(t, file, strings.Repeat("what others put, they get; ", int(size/27)+1)[:size])
		run("put", file, uri)
		run("get", uri, file+".got")
		if a, b := sum(t, file), sum(t, file+".got"); a != b {
			t.Errorf("%s comes back with the hash %x; want %x", name, b, a)
		}
		if size > 0 {
			continued(t, run, file, uri)
		}
		if list := run("ls", "s3://"+bucket+"/folder/"); !strings.Contains(list, uri) {
			t.Errorf("%s is not in the list\n%s", name, list)
		}
		run("del", uri)
		if list := run("ls", "s3://"+bucket+"/folder/"); strings.Contains(list, uri) {
			t.Errorf("%s is still in the list\n%s", name, list)
		}
	}
	write(t, config, options("wrong"))
	text, err := program(t, dir, s3cmd, "--config", config, "ls", "s3://"+bucket)
	if err == nil || !strings.Contains(text, "SignatureDoesNotMatch") {
		t.Errorf("with a wrong secret s3cmd ends as %v and says %s", err, text)
	}
}

// continued gets an object of which half is there already, which asks for a range.
func continued(t *testing.T, run func(...string) string, file, uri string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file+".half", string(text[:len(text)/2]))
	run("get", "--continue", uri, file+".half")
	if a, b := sum(t, file), sum(t, file+".half"); a != b {
		t.Errorf("after half of it the rest of %s comes with the hash %x; want %x", uri, b, a)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, name string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
