package ftpserver

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// FuzzSession has a session serve whatever comes: it answers or hangs up, and
// touches no file beside its own. There is no network in between, whose ports would
// be used up.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"", "EPSV\r\nSTOR a\r\n", "PASV\r\nREST 5\r\nRETR ../x\r\n", "RNFR a\r\nRNTO ../b\r\n", "USER x\r\nPASS y\r\n",
		"CWD ..\r\nSIZE /etc/passwd\r\nDELE .\r\n", "TYPE A\r\nTYPE I\r\nFEAT\r\nOPTS UTF8 ON\r\nQUIT\r\n",
		"\r\n\r\n \x00\r\n", "REST 99999999999999999999\r\nREST -1\r\nRETR\r\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	s, err := Start(Config{Dir: dir, MaxBytes: 1 << 20, Name: "name", Secret: "secret", DataWait: time.Millisecond})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, script string) {
		here, there := net.Pipe()
		defer here.Close()
		_ = here.SetDeadline(time.Now().Add(10 * time.Second)) // a pipe can have one
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer there.Close()
			newSession(s, there).run()
		}()
		go func() {
			_, _ = io.WriteString(here, "USER name\r\nPASS secret\r\n"+script+"\r\nQUIT\r\n") // it may have hung up
		}()
		for lines := bufio.NewScanner(here); lines.Scan(); {
			if line := lines.Text(); len(line) < 3 || line[0] != ' ' && (line[0] < '1' || line[0] > '5') {
				t.Fatalf("the answer is %q", line)
			}
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("the session does not end")
		}
		if beside, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); err != nil || len(beside) != 1 {
			t.Fatalf("beside the directory there are %q, %v", beside, err)
		}
	})
}
