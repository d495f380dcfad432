package installed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A nameServer tells Erlang nodes the ports on which they reach each other, as
// Erlang's own name server (epmd) does, in whose place it stands. It listens on a
// line for each of those who ask, so that it knows who does, and may tell each of
// them another port for the same node: that of a link which leads there.
//
// A node registers on its line and is known for as long as that connection lasts;
// the connection of a process that is killed ends with it. Requests that would stop
// the server or have it tell about itself are not answered.
type nameServer struct {
	lines []net.Listener
	via   func(asker int, name string, port uint16) uint16

	serving sync.WaitGroup // of lines and calls

	mu       sync.Mutex
	closed   bool
	calls    map[net.Conn]struct{}
	nodes    map[string]registration
	creation uint32 // of the latest registration
}

// A registration is what a node tells of itself.
type registration struct {
	name            string
	port            uint16
	kind, protocol  byte
	highest, lowest uint16
	extra           []byte
}

// The requests and answers of the name server, with the numbers that Erlang's
// distribution protocol gives them.
const (
	namesRequest    = 110
	portAnswer      = 119
	registerAnswer  = 121 // creations of 16 bits
	registerRequest = 120
	registerWide    = 118 // creations of 32 bits
	portRequest     = 122
)

const (
	callPatience = 10 * time.Second // for a whole request, and for taking the answer
	maxCalls     = 128              // at once; a cluster needs one for each node and those of its tools
	maxRequest   = 1024             // bytes; names have 255 at most
	maxName      = 255
	wideVersion  = 6 // of the distribution protocol, from which on creations have 32 bits
	minCreation  = 4 // those below mean 16 bits to Erlang
)

// openNames starts a name server with so many lines. via says which port is told
// to the asker on a line, counted from 0, for a node that listens on port; it may
// be called concurrently.
func openNames(lines int, via func(asker int, name string, port uint16) uint16) (*nameServer, error) {
	s := &nameServer{
		via: via, calls: make(map[net.Conn]struct{}), nodes: make(map[string]registration), creation: minCreation - 1,
	}
	for range lines {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open name server: %w", err), s.close())
		}
		s.lines = append(s.lines, l)
	}
	for asker, l := range s.lines {
		s.serving.Go(func() { s.serve(asker, l) })
	}
	return s, nil
}

// port returns the port of a line.
func (s *nameServer) port(line int) int { return s.lines[line].Addr().(*net.TCPAddr).Port }

// close ends the server and all calls. It waits for them.
func (s *nameServer) close() error {
	var errs []error
	for _, l := range s.lines {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.mu.Lock()
	s.closed = true
	for c := range s.calls {
		_ = c.Close() // whoever was on the line has to find another
	}
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(errs...)
}

// serve takes calls on a line until it is closed.
func (s *nameServer) serve(asker int, l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(pollPause) // descriptors are short, and will not be for long
		case !s.enter(c):
			_ = c.Close()
		default:
			s.serving.Go(func() {
				defer s.leave(c)
				s.answer(asker, c)
			})
		}
	}
}

// enter takes a call, unless there are too many.
func (s *nameServer) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.calls) >= maxCalls {
		return false
	}
	s.calls[c] = struct{}{}
	return true
}

func (s *nameServer) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, c)
	_ = c.Close() // perhaps once more
}

// answer answers the one request of a call. The call of a node that registers
// lasts as long as the node.
func (s *nameServer) answer(asker int, c net.Conn) {
	if err := c.SetDeadline(time.Now().Add(callPatience)); err != nil {
		return
	}
	req, err := readRequest(c)
	if err != nil {
		return // the server of Erlang hangs up as well
	}
	switch req.kind {
	case registerRequest:
		creation, ok := s.register(req.node)
		if ok {
			defer s.forget(req.node.name)
		}
		if _, err := c.Write(registered(req.node, creation, ok)); err != nil || !ok {
			return
		}
		if err := c.SetDeadline(time.Time{}); err == nil {
			_, _ = c.Read(make([]byte, 1)) // nothing comes before the end
		}
	case portRequest:
		_, _ = c.Write(s.find(asker, req.node.name)) // who has hung up does not want to know
	case namesRequest:
		_, _ = c.Write(s.list(asker))
	}
}

// register makes a node known. It fails if one of that name is.
func (s *nameServer) register(r registration) (creation uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.nodes[r.name]; known || s.closed {
		return 0, false
	}
	s.nodes[r.name] = r
	if s.creation++; s.creation < minCreation {
		s.creation = minCreation
	}
	return s.creation, true
}

func (s *nameServer) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.nodes, name)
}

// registered says whether a node is known now.
func registered(r registration, creation uint32, ok bool) []byte {
	refused := byte(1)
	if ok {
		refused = 0
	}
	if r.highest >= wideVersion {
		return binary.BigEndian.AppendUint32([]byte{registerWide, refused}, creation)
	}
	return binary.BigEndian.AppendUint16([]byte{registerAnswer, refused}, uint16(creation%3+1))
}

// find says all about a node of a name, or that there is none.
func (s *nameServer) find(asker int, name string) []byte {
	s.mu.Lock()
	r, known := s.nodes[name]
	s.mu.Unlock()
	if !known {
		return []byte{portAnswer, 1}
	}
	b := []byte{portAnswer, 0}
	b = binary.BigEndian.AppendUint16(b, s.via(asker, r.name, r.port))
	return append(b, r.encode()...)
}

// encode returns what a registration and the answer about a port have in common.
func (r registration) encode() []byte {
	b := []byte{r.kind, r.protocol}
	b = binary.BigEndian.AppendUint16(b, r.highest)
	b = binary.BigEndian.AppendUint16(b, r.lowest)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.name)))
	b = append(b, r.name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.extra)))
	return append(b, r.extra...)
}

// list names all nodes, in the words that Erlang's programs look for.
func (s *nameServer) list(asker int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(s.port(asker)))
	for name, r := range s.nodes {
		b = fmt.Appendf(b, "name %s at port %d\n", name, s.via(asker, name, r.port))
	}
	return b
}

// A request is one question to the name server.
type request struct {
	kind byte
	node registration // of a question for a port, only its name
}

var errMalformed = errors.New("malformed request to the name server")

// readRequest reads a request, which says its length first.
func readRequest(r io.Reader) (request, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	n := binary.BigEndian.Uint16(size[:])
	if n == 0 || n > maxRequest {
		return request{}, errMalformed
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	return decode(b)
}

// decode reads a request without its length.
func decode(b []byte) (request, error) {
	if len(b) == 0 {
		return request{}, errMalformed
	}
	req := request{kind: b[0]}
	var ok bool
	switch b = b[1:]; req.kind {
	case registerRequest:
		req.node, ok = decodeNode(b)
	case portRequest:
		req.node.name, ok = string(b), true
	case namesRequest:
		return req, nil
	}
	if !ok || !isName(req.node.name) {
		return request{}, errMalformed
	}
	return req, nil
}

// decodeNode reads what a node tells of itself: its port, and what encode writes.
func decodeNode(b []byte) (r registration, ok bool) {
	const fixed = 10 // bytes before the name
	if len(b) < fixed {
		return r, false
	}
	r = registration{
		port: binary.BigEndian.Uint16(b), kind: b[2], protocol: b[3],
		highest: binary.BigEndian.Uint16(b[4:]), lowest: binary.BigEndian.Uint16(b[6:]),
	}
	name, rest, ok := cutField(b[8:])
	if !ok {
		return r, false
	}
	r.name = string(name)
	r.extra, rest, ok = cutField(rest)
	return r, ok && len(rest) == 0
}

// cutField takes a field that says its length off the front of b.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// isName reports whether a node may have a name: one that cannot be taken for
// something else where names are listed.
func isName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '@' || r == '\x7f'
	})
}

// portOf returns the port of an address on this machine, which is all that an
// Erlang node can be told: it looks up the machine itself.
func portOf(address string) (uint16, error) {
	h, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || h != host {
		return 0, fmt.Errorf("address %s is not a port of %s", address, host)
	}
	return uint16(port), nil
}
