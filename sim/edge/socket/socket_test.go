package socket

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is how long a test waits for what should be there soon.
const soon = 20 * time.Second

// TestAnOutboxHoldsNoMoreThanItsCapacity stops the writer of an outbox.
func TestAnOutboxHoldsNoMoreThanItsCapacity(t *testing.T) {
	sent := 0
	o := &outbox{capacity: 10, send: func(queued) error { sent++; return nil }}
	for i, tt := range []struct {
		size   int
		writer bool
		err    error
	}{{100, true, nil}, {1, false, errSlow}} {
		if writer, err := o.put(make([]byte, tt.size)); writer != tt.writer || !errors.Is(err, tt.err) {
			t.Errorf("message %d: got %v, %v; want %v, %v", i, writer, err, tt.writer, tt.err)
		}
	}
	o.write()
	for i := range 3 {
		if writer, err := o.put(make([]byte, 5)); writer != (i == 0) || (err == nil) != (i < 2) {
			t.Errorf("message %d of half the capacity: got %v, %v", i, writer, err)
		}
	}
	o.close(errLost)
	o.write()
	if _, err := o.put(nil); sent != 1 || !errors.Is(err, errLost) {
		t.Errorf("%d messages were sent, and a closed outbox says %v; want 1, and why it was closed", sent, err)
	}
}

// TestASilentServerIsNoticed has a client call a server that does not read, so
// that no pong comes.
func TestASilentServerIsNoticed(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		<-release
		_ = conn.CloseNow() // the client has gone
	}))
	defer server.Close()
	defer close(release)
	bounds := For(1 << 20)
	bounds.Silence, bounds.Response = 20*time.Millisecond, 50*time.Millisecond
	c := NewClient("ws://"+server.Listener.Addr().String(), "", plain{}, bounds, &http.Transport{},
		edge.Config{Timeout: soon, Meter: &edge.Meter{}})
	_, err := flows.First(t.Context(), c, flows.Call{Verb: flows.Submit, ID: 1})
	if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.Disconnected {
		t.Errorf("a call to a silent server ends as %v, %s (%v); want unknown, disconnected", o, class, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// plain is a codec that says nothing of a call but its number.
type plain struct{}

func (plain) Hello() []byte { return nil }

func (plain) Ready([]byte) (bool, error) { return true, nil }

func (plain) AppendCall(b []byte, n uint64, _ flows.Call) ([]byte, error) {
	return append(b, byte('0'+n)), nil
}

func (plain) AppendCancel(b []byte, n uint64) []byte { return append(b, '-', byte('0'+n)) }

func (plain) Read(message []byte) (Heard, error) {
	return Heard{N: uint64(message[0] - '0'), Answer: flows.Answer{Body: bytes.Clone(message[1:])}}, nil
}

// TestWhoSendsManyMessagesWaitsWhileSomeAreTaken has a client that takes nothing,
// one that takes a message now and then, and one that takes all.
func TestWhoSendsManyMessagesWaitsWhileSomeAreTaken(t *testing.T) {
	for _, tt := range []struct {
		about string
		taken int // messages, one each second
		after time.Duration
		err   error
	}{
		{"nothing", 0, 2 * time.Second, errSlow},
		{"too little", 20, 2 * patience * time.Second, errSlow},
		{"enough", 5, 5 * time.Second, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			size := 10
			if tt.err == nil {
				size = 100
			}
			o := &outbox{capacity: 1200}
			for range 1200/size - 1 {
				if _, err := o.put(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
			var taking sync.WaitGroup
			defer taking.Wait()
			taking.Go(func() {
				for range tt.taken {
					time.Sleep(time.Second)
					o.sent(size)
				}
			})
			begin := time.Now()
			if err := o.await(t.Context(), 2*time.Second); !errors.Is(err, tt.err) || time.Since(begin) != tt.after {
				t.Errorf("with a client that takes %s it ends after %v as %v; want %v after %v", tt.about,
					time.Since(begin), err, tt.err, tt.after)
			}
		})
	}
}
