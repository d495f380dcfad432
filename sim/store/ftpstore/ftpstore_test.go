package ftpstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/store"
	"flowbench/sim/store/ftpstore"
	"flowbench/sim/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheStoreOnItsOwnServerConforms(t *testing.T) {
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: ftpstore.New()} })
}

func config(t *testing.T, url string) store.Config {
	t.Helper()
	var d net.Dialer
	return store.Config{
		URL: url, Prefix: "t", Dir: t.TempDir(), MaxBytes: 1 << 20, Dial: d.DialContext, Meter: &store.Meter{},
		Log: slog.New(slog.DiscardHandler),
	}
}

// TestKeptConnectionsThatHaveDiedAreReplaced cuts all of them between two calls: the
// first call after that works, with any number of dead ones before it.
func TestKeptConnectionsThatHaveDiedAreReplaced(t *testing.T) {
	cutter := brokertest.NewCutter()
	t.Cleanup(func() { _ = cutter.Close() })
	cfg := config(t, "")
	cfg.Dial = cutter.Dial
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o, stop := connect(t, ctx, cfg)
	defer stop()
	uri, err := o.Put(ctx, "object", 1000, bytes.NewReader(make([]byte, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(i int) error{
		"put": func(i int) error {
			_, err := o.Put(ctx, fmt.Sprint("other-", i), 1000, bytes.NewReader(make([]byte, 1000)))
			return err
		},
		"get": func(int) error {
			r, err := o.Get(ctx, uri, flows.Span{From: 5})
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, r)
			if err == nil && n != 995 {
				err = fmt.Errorf("%d bytes", n)
			}
			return errors.Join(err, r.Close())
		},
		"delete": func(i int) error {
			return o.Delete(ctx, strings.Replace(uri, "object", fmt.Sprint("other-", i), 1))
		},
	}
	for i := range 3 {
		for what, call := range calls {
			var readers []io.Closer // each keeps a connection
			for range 4 {
				r, err := o.Get(ctx, uri, flows.Span{})
				if err != nil {
					t.Fatal(err)
				}
				readers = append(readers, r)
			}
			for _, r := range readers {
				_ = r.Close()
			}
			if err := errors.Join(cutter.Down(), cutter.Up()); err != nil {
				t.Fatal(err)
			}
			if err := call(i); err != nil {
				t.Errorf("a %s over connections that have died: %v", what, err)
			}
		}
	}
}
