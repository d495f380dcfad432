package installed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what should be there at once.
const patience = 10 * time.Second

// openTestNames starts a name server with two lines, on each of which every node is
// a thousand ports further than on the one before.
func openTestNames(t *testing.T) *nameServer {
	t.Helper()
	s, err := openNames(2, func(asker int, _ string, port uint16) uint16 { return port + uint16(1000*asker) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// call sends a request on a line, with its length, and leaves the connection open.
func call(t *testing.T, s *nameServer, line int, request string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.lines[line].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b := binary.BigEndian.AppendUint16(nil, uint16(len(request)))
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(append(b, request...)); err != nil {
		t.Fatal(err)
	}
	return c
}

// answerOf returns what a request is answered with before the server hangs up.
func answerOf(t *testing.T, s *nameServer, line int, request string) string {
	t.Helper()
	b, err := io.ReadAll(call(t, s, line, request))
	if err != nil {
		t.Fatalf("await the answer to %q: %v", request, err)
	}
	return string(b)
}

// node is a request to register, which Erlang 25 makes with port 0x1234.
func node(name string) string {
	return "\x78\x12\x34\x4d\x00\x00\x06\x00\x05\x00" + string([]byte{byte(len(name))}) + name + "\x00\x00"
}

// registerAs registers a node and returns the answer and the connection.
func registerAs(t *testing.T, s *nameServer, request string, size int) (string, net.Conn) {
	t.Helper()
	c := call(t, s, 0, request)
	b := make([]byte, size)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("register with %q: %v", request, err)
	}
	return string(b), c
}

func TestANodeIsKnownForAsLongAsItIsConnected(t *testing.T) {
	s := openTestNames(t)
	if got := answerOf(t, s, 0, "\x7aone"); got != "\x77\x01" {
		t.Fatalf("a node that is unknown: %q; want that there is none", got)
	}
	got, c := registerAs(t, s, node("one"), 6)
	if got != "\x76\x00\x00\x00\x00\x04" {
		t.Errorf("registered with %q; want success and creation 4", got)
	}
	if got, _ := registerAs(t, s, node("one"), 6); got != "\x76\x01\x00\x00\x00\x00" {
		t.Errorf("registered a second time with %q; want a refusal", got)
	}
	const rest = "\x4d\x00\x00\x06\x00\x05\x00\x03one\x00\x00"
	if got := answerOf(t, s, 0, "\x7aone"); got != "\x77\x00\x12\x34"+rest {
		t.Errorf("asked for the node: %q; want its port and what it told", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); answerOf(t, s, 0, "\x7aone") != "\x77\x01"; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the node is known after its end")
		}
	}
	if got, _ := registerAs(t, s, node("one"), 6); got != "\x76\x00\x00\x00\x00\x05" {
		t.Errorf("registered anew with %q; want another creation", got)
	}
}

// TestEachAskerIsToldAPortOfItsOwn asks on both lines, for a node and for all.
func TestEachAskerIsToldAPortOfItsOwn(t *testing.T) {
	s := openTestNames(t)
	registerAs(t, s, node("one"), 6)
	for line, port := range []uint16{0x1234, 0x1234 + 1000} {
		if got := answerOf(t, s, line, "\x7aone"); len(got) < 4 || binary.BigEndian.Uint16([]byte(got[2:])) != port {
			t.Errorf("line %d tells %q; want port %d", line, got, port)
		}
		want := "name one at port " + []string{"4660", "5660"}[line] + "\n"
		got := answerOf(t, s, line, "\x6e")
		if len(got) < 4 || int(binary.BigEndian.Uint32([]byte(got))) != s.port(line) || got[4:] != want {
			t.Errorf("line %d lists %q; want its own port %d and %q", line, got, s.port(line), want)
		}
	}
}

func TestOlderNodesHaveShorterCreations(t *testing.T) {
	s := openTestNames(t)
	old := []byte(node("old"))
	old[6] = 5 // the highest version of the distribution protocol
	if got, _ := registerAs(t, s, string(old), 4); got != "\x79\x00\x00\x02" {
		t.Errorf("registered with %q; want success and a creation of 1 to 3", got)
	}
}

// TestNobodyIsAnsweredWhatMakesNoSense sends what is malformed, what is too long,
// and what would stop Erlang's server.
func TestNobodyIsAnsweredWhatMakesNoSense(t *testing.T) {
	s := openTestNames(t)
	for _, request := range []string{
		"", "\x7a", "\x7a" + strings.Repeat("x", maxName+1), "\x7aa\nname b", "\x7aa@b", node(""), node("a b"),
		node("one") + "x", node("one")[:12], node("one")[:5], strings.Repeat("\x7a", maxRequest+1),
		"\x6b", "\x64", "\x73one",
	} {
		c := call(t, s, 0, request)
		if b, err := io.ReadAll(c); len(b) > 0 || errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Errorf("%.40q is answered with %q, %v; want the end of the call", request, b, err)
		}
	}
	if got := answerOf(t, s, 0, "\x6e"); len(got) != 4 {
		t.Errorf("nodes %q are known; want none", got[4:])
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestTheNameServerHoldsSoManyCallsAndNoMore keeps all lines busy, which costs the
// next caller its call, and nobody else anything.
func TestTheNameServerHoldsSoManyCallsAndNoMore(t *testing.T) {
	s := openTestNames(t)
	var first net.Conn
	for i := range maxCalls {
		_, c := registerAs(t, s, node("n"+strings.Repeat("x", i)), 6)
		if i == 0 {
			first = c
		}
	}
	if b, _ := io.ReadAll(call(t, s, 1, "\x7an")); len(b) > 0 {
		t.Errorf("one call too many is answered with %q; want none", b)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if b, _ := io.ReadAll(call(t, s, 1, "\x7anx")); len(b) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody is answered after the end of a call")
		}
	}
}

func TestTheEndOfTheNameServerIsTheEndOfAllCalls(t *testing.T) {
	s := openTestNames(t)
	_, registered := registerAs(t, s, node("one"), 6)
	silent, err := net.Dial("tcp", s.lines[1].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{registered, silent} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("a call after the end: %v; want that it has ended", err)
		}
	}
}

// TestOnlyNodesAreSentOnWays asks a cluster of three for the ports that it tells.
func TestOnlyNodesAreSentOnWays(t *testing.T) {
	c := &Cluster{ways: make(map[way]uint16)}
	for i := range 3 {
		c.nodes = append(c.nodes, &Node{name: nodeName(i), dist: 100 + i})
	}
	var laid []string
	err := c.lay(func(from, to int, address string) (string, error) {
		laid = append(laid, address)
		return net.JoinHostPort(host, string(rune('1'+from))+string(rune('1'+to))), nil
	})
	want := []string{"101", "102", "100", "102", "100", "101"}
	for i := range want {
		want[i] = net.JoinHostPort(host, want[i])
	}
	if err != nil || !slices.Equal(laid, want) {
		t.Fatalf("ways were laid to %q, %v; want %q", laid, err, want)
	}
	for _, tt := range []struct {
		about string
		asker int
		name  string
		port  uint16
		want  uint16
	}{
		{"a node that asks for another", 0, "flowbench-3", 102, 13},
		{"the way back", 2, "flowbench-1", 100, 31},
		{"a node that asks for itself", 1, "flowbench-2", 101, 101},
		{"a tool", 3, "flowbench-2", 101, 101},
		{"a node that asks for a tool", 0, "rabbitmqcli-7", 7, 7},
		{"a node that listens elsewhere", 0, "flowbench-3", 7, 7},
	} {
		if got := c.via(tt.asker, tt.name, tt.port); got != tt.want {
			t.Errorf("%s is told port %d; want %d", tt.about, got, tt.want)
		}
	}
	for _, address := range []string{"elsewhere:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "[::1]:5"} {
		if err := c.lay(func(int, int, string) (string, error) { return address, nil }); err == nil {
			t.Errorf("a way by %s was laid; want an error, since no node can be told it", address)
		}
	}
}

// FuzzDecode holds that what is decoded is small, has a name that cannot break a
// list, and says what the request said.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "\x6e", "\x7aone", "\x7a", node("one"), node(""), node("one")[:12], node("one") + "x", "\x6b",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := decode(bytes.Clone(b))
		if err != nil {
			return
		}
		if req.kind != namesRequest && !isName(req.node.name) {
			t.Errorf("%q has the name %q", b, req.node.name)
		}
		if req.kind != registerRequest {
			return
		}
		again := binary.BigEndian.AppendUint16([]byte{registerRequest}, req.node.port)
		if again = append(again, req.node.encode()...); !bytes.Equal(again, b) {
			t.Errorf("%q was read as %q", b, again)
		}
	})
}
