package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"flowbench/report/live"
	"flowbench/sim/embedded"
	"flowbench/sim/process"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 { // this binary is its own embedded broker, and keeps others
		switch os.Args[1] {
		case embedded.Verb:
			os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case process.Verb:
			os.Exit(process.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case live.Verb:
			os.Exit(live.Main(os.Args[2:], os.Stdout, os.Stderr))
		}
	}
	testscript.Main(m, map[string]func(){"flowbench": main})
}

// TestScripts runs the program as people do; see testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// The run directory is where the test's coverage and temporary files must not be.
			e.Setenv("TMPDIR", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"await": await,
			"runs":  runs,
			"gone":  gone,

			"answers": answers,
			"serves":  serves,
			"gets":    gets,
		},
		Condition: condition,
	})
}

// exits runs a program and checks its exit code: exits CODE PROGRAM ARGS.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code is %d; want %s", code, args[0])
	}
}

// runs runs a program that may find the machine too busy for a verdict, which is
// then not what the script is about: the exit code must be 0 or 2.
func runs(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if neg || err != nil && (!errors.As(err, &exit) || exit.ExitCode() != int(exitNoVerdict)) {
		ts.Fatalf("run %v: %v", args, err)
	}
}

// patience is how long a script waits for what must happen.
const patience = 20 * time.Second

// await waits until all of the files are there and not empty: await [-booting] FILES,
// where a RabbitMQ, which takes its time, boots first.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! await")
	}
	patience := patience
	if args[0] == "-booting" {
		patience, args = 3*patience, args[1:]
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		missing := ""
		for _, f := range args {
			if info, err := os.Stat(ts.MkAbs(f)); err != nil || info.Size() == 0 {
				missing = f
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is not there after %v", missing, patience)
		}
	}
}

// gone waits until no process has the script's directory in its command line or
// environment, other than the test itself: gone SECONDS.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	seconds, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: gone seconds")
	}
	awaitNoChild(ts, time.Duration(seconds)*time.Second)
}

// answers starts a server that answers every request in one way, and sets a variable
// to its address: answers VARIABLE STATUS BODY.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	status, err := strconv.Atoi(args[1])
	if neg || err != nil || len(args) != 3 {
		ts.Fatalf("usage: answers variable status body")
	}
	listen(ts, args[0], func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // who is still sending may not hear the answer
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, args[2])
	})
}

// serves starts a file server that wants a name and a secret, and sets a variable to
// its address: serves VARIABLE NAME SECRET.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: serves variable name secret")
	}
	var files sync.Map // of []byte, by path
	listen(ts, args[0], func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		name, secret, _ := r.BasicAuth()
		file, there := files.Load(r.URL.Path)
		switch {
		case name != args[1] || secret != args[2]:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPut && err == nil:
			files.Store(r.URL.Path, body)
			w.WriteHeader(http.StatusCreated)
		case r.Method == http.MethodDelete:
			files.Delete(r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		case there:
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.([]byte)))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	ts.Defer(func() {
		files.Range(func(path, _ any) bool {
			ts.Logf("%v is left on the server", path)
			return true
		})
	})
}

// listen serves on loopback until the script ends, and sets a variable to the
// address.
func listen(ts *testscript.TestScript, variable string, handler http.HandlerFunc) {
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	ts.Setenv(variable, server.Listener.Addr().String())
}

// condition knows which brokers are there: [rabbitmq], [nats], and whether one
// can be started: [rabbitmq-server]. With CI=true all must be.
func condition(name string) (bool, error) {
	switch name {
	case "rabbitmq":
		return brokerThere("127.0.0.1:5672")
	case "rabbitmq-server":
		return rabbitInstalled()
	case "nats":
		return brokerThere("127.0.0.1:4222")
	}
	return false, errors.New("unknown condition " + name)
}
