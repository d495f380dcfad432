package graphqledge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// subprotocol is the name of GraphQL over WebSocket.
const subprotocol = "graphql-transport-ws"

// The types of messages.
const (
	typeInit      = "connection_init"
	typeAck       = "connection_ack"
	typePing      = "ping"
	typePong      = "pong"
	typeSubscribe = "subscribe"
	typeNext      = "next"
	typeError     = "error"
	typeComplete  = "complete"
)

// The codes with which a server ends a socket.
const (
	codeBadRequest    = 4400
	codeUnauthorized  = 4401
	codeUnacceptable  = 4406
	codeInitTimeout   = 4408
	codeAlreadyExists = 4409
	codeTooManyInits  = 4429
)

// A message is one of either side.
type message struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// maxID is how many bytes the name of an operation may have: it comes back with
// each message, and is held as long as the operation is under way.
const maxID = 256

var (
	errNoObject  = errors.New("a message is no JSON object of the protocol")
	errNoType    = errors.New("a message has a type that no client sends")
	errBadID     = errors.New("an operation needs an id of at most 256 bytes")
	errNoQuery   = errors.New("the payload of subscribe has no query, or is none")
	errNoPayload = errors.New("the payload is no object")
)

// readMessage reads a message of a client. An error says that it is none of the
// protocol.
func readMessage(text []byte) (m message, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, errNoObject
	}
	switch m.Type {
	case typeInit, typePing, typePong:
		return m, optionalObject(m.Payload)
	case typeSubscribe, typeComplete:
		if m.ID == "" || len(m.ID) > maxID {
			return m, errBadID
		}
		return m, nil
	default:
		return m, errNoType
	}
}

// optionalObject returns an error unless a payload is an object, null, or not
// there.
func optionalObject(payload json.RawMessage) error {
	if p := bytes.TrimSpace(payload); len(p) > 0 && p[0] != '{' && string(p) != "null" {
		return errNoPayload
	}
	return nil
}

// operation returns the operation that a subscribe asks for.
func (m *message) operation() (request, error) {
	q := struct {
		request
		Query *string `json:"query"`
	}{}
	if json.Unmarshal(m.Payload, &q) != nil || q.Query == nil {
		return request{}, errNoQuery
	}
	q.request.Query = *q.Query
	return q.request, nil
}

// Messages are appended and not marshalled, which takes a third of the time. An
// id is given as it is written in JSON.

func appendHead(b, id []byte, kind string) []byte {
	b = append(append(b, `{"id":`...), id...)
	b = append(append(b, `,"type":"`...), kind...)
	return append(b, '"')
}

func appendPayload(b, id []byte, kind string, payload []byte) []byte {
	b = append(appendHead(b, id, kind), `,"payload":`...)
	return append(append(b, payload...), '}')
}

func appendComplete(b, id []byte) []byte { return append(appendHead(b, id, typeComplete), '}') }

// faultMessage returns the message that ends an operation with an error of ours.
func faultMessage(id []byte, err error) []byte {
	f := edge.FaultOf(err)
	payload, _ := json.Marshal([1]failure{{f.Detail, &edge.Fault{Outcome: f.Outcome, Class: f.Class}}}) // only strings
	return appendPayload(nil, id, typeError, payload)
}

// A failure is a GraphQL error, as far as we read and write them.
type failure struct {
	Message    string      `json:"message"`
	Extensions *edge.Fault `json:"extensions,omitempty"`
}

// A codec is the client's side of the protocol. It implements [socket.Codec].
type codec struct{ maxBody int64 }

// Hello implements [socket.Codec].
func (codec) Hello() []byte { return []byte(`{"type":"` + typeInit + `"}`) }

// Ready implements [socket.Codec].
func (codec) Ready(text []byte) (bool, error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return false, fmt.Errorf("read message: %w", err)
	}
	return m.Type == typeAck, nil
}

// AppendCall implements [socket.Codec].
func (codec) AppendCall(b []byte, n uint64, c flows.Call) ([]byte, error) {
	p := written(c)
	if c.Trace != "" {
		p.Extensions = &extensions{c.Trace}
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, flows.Fail(flows.Internal, fmt.Errorf("write request: %w", err))
	}
	return appendPayload(b, appendNumber(nil, n), typeSubscribe, payload), nil
}

// AppendCancel implements [socket.Codec].
func (codec) AppendCancel(b []byte, n uint64) []byte { return appendComplete(b, appendNumber(nil, n)) }

func appendNumber(b []byte, n uint64) []byte {
	return append(strconv.AppendUint(append(b, '"'), n, 10), '"')
}

// Read implements [socket.Codec].
func (c codec) Read(text []byte) (h socket.Heard, err error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return h, err
	}
	switch m.Type {
	case typePing:
		return socket.Heard{Reply: []byte(`{"type":"` + typePong + `"}`)}, nil
	case typePong, typeAck:
		return h, nil
	}
	if h.N, err = strconv.ParseUint(m.ID, 10, 64); err != nil {
		return h, fmt.Errorf("id: %w", err)
	}
	switch m.Type {
	case typeNext:
		h.Answer, h.Err = readResponse(m.Payload, c.maxBody)
	case typeError:
		var r response
		if err := json.Unmarshal(m.Payload, &r.Errors); err != nil || len(r.Errors) == 0 {
			return h, fmt.Errorf("an error without errors: %w", err)
		}
		h.Err, h.Last = r.fault(), true
	case typeComplete:
		h.Last, h.Empty = true, true
	default:
		return h, fmt.Errorf("a message of type %q", m.Type)
	}
	return h, nil
}
