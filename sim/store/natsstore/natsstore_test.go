package natsstore_test

import (
	"crypto/rand"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"flowbench/sim/embedded"
	"flowbench/sim/store"
	"flowbench/sim/store/natsstore"
	"flowbench/sim/store/storetest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == embedded.Verb {
		os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func TestTheStoreOnItsOwnServerConforms(t *testing.T) {
	if testing.Short() {
		t.Skip("each case starts a server, and says little beyond those on one that runs")
	}
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: natsstore.New()} })
}

// TestTheStoreOnAServerOfSomebodyElsesConforms needs the NATS server that runs on
// machines that develop this.
func TestTheStoreOnAServerOfSomebodyElsesConforms(t *testing.T) {
	const at = "127.0.0.1:4222"
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no NATS server: %v", err)
		}
		t.Skipf("there is no NATS server at %s", at)
	}
	_ = conn.Close()
	storetest.Test(t, func(*testing.T) storetest.Bench {
		return storetest.Bench{Driver: natsstore.New(), URL: "nats-object://" + at}
	})
}

// TestTheStoreOnAServerThatKnowsItsClientsConforms is about credentials.
func TestTheStoreOnAServerThatKnowsItsClientsConforms(t *testing.T) {
	if testing.Short() {
		t.Skip("it says little beyond the others")
	}
	login := store.Credentials{Name: "somebody", Secret: rand.Text()}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Username: login.Name, Password: login.Secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not accept connections")
	}
	at := s.Addr().String()
	storetest.Test(t, func(*testing.T) storetest.Bench {
		return storetest.Bench{Driver: natsstore.New(), URL: "nats-object://" + at, Credentials: login}
	}, // A stream that is deleted before its loop has begun keeps the loop until the server ends.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*stream).internalLoop"))
	info, err := s.Jsz(&server.JSzOptions{})
	if err != nil || info.Streams != 0 || info.Consumers != 0 {
		t.Errorf("left on the server: %+v, %v; want no stream and no consumer", info, err)
	}
}
