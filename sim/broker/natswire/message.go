package natswire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"flowbench/flows"
)

// The headers. The message id's name is the one by which JetStream recognizes
// what it has stored already.
const (
	headerID          = "Nats-Msg-Id"
	headerCorrelation = "Correlation-Id"
	headerOp          = "Op"
	headerKind        = "Kind"
	headerKey         = "Key"
	headerStatus      = "Answer-Status"
	headerReply       = "Reply-To"
	headerTrace       = "traceparent"
	headerNotice      = "Status" // the server's own, on messages that are its notices
	noResponders      = "503"
)

var errNobody = errors.New("nobody is subscribed to take the request")

// Encode writes m as a message to a full subject. With inReply the return
// address goes into the reply field, where it names the id as well; without,
// both go into headers, since the reply field is needed for acknowledgements.
func (s *Space) Encode(m flows.Message, inReply bool) *nats.Msg {
	out := &nats.Msg{Data: m.Body}
	set := func(name, value string) {
		if out.Header == nil {
			out.Header = make(nats.Header, 2)
		}
		out.Header[name] = []string{value}
	}
	subjectID := uint64(0) // the id that the subject names
	switch {
	case !s.IsInbox(m.Subject):
		out.Subject = s.Subject(m.Subject)
	default:
		address, id, named := s.splitAddress(m.Subject)
		if !named {
			id = m.Correlation
		}
		subjectID, out.Subject = id, address+"."+hex(id)
	}
	if m.Correlation != subjectID {
		set(headerCorrelation, hex(m.Correlation))
	}
	named := false // whether the return address tells the id
	if m.ReplyTo != "" {
		reply := m.ReplyTo
		if s.IsInbox(reply) {
			address, _, _ := s.splitAddress(reply)
			reply, named = address+"."+hex(m.ID), inReply
		}
		if inReply {
			out.Reply = reply
		} else {
			set(headerReply, reply)
		}
	}
	if m.ID != 0 && !named {
		set(headerID, hex(m.ID))
	}
	if m.Op != assumedOp(m.ID, m.Correlation) {
		set(headerOp, hex(m.Op))
	}
	if m.Kind != flows.Command {
		set(headerKind, m.Kind.String())
	}
	if m.Key != "" {
		set(headerKey, m.Key)
	}
	if m.Status != flows.Done {
		set(headerStatus, m.Status.String())
	}
	if m.Trace != "" {
		set(headerTrace, m.Trace)
	}
	return out
}

// assumedOp is the operation of a message that does not name it: the one that
// its id stands for, or for an answer the one that it answers.
func assumedOp(id, correlation uint64) uint64 {
	if id != 0 {
		return id
	}
	return correlation
}

// splitAddress splits the reply subject of a request into the inbox's address
// and the request's id, if it names one.
func (s *Space) splitAddress(name string) (address string, id uint64, named bool) {
	first := len(s.inboxPrefix())
	i := strings.IndexByte(name[first:], '.')
	if i < 0 {
		return name, 0, false
	}
	id, err := strconv.ParseUint(name[first+i+1:], 16, 64)
	return name[:first+i], id, err == nil
}

// Decode reads a message that arrived under a full subject. The subject is the
// name that the receiver subscribed to.
func (s *Space) Decode(subject, full, reply string, header nats.Header, body []byte) flows.Message {
	m := flows.Message{Subject: subject, Body: body}
	if s.IsInbox(full) {
		_, m.Correlation, _ = s.splitAddress(full)
	}
	if s.IsInbox(reply) {
		m.ReplyTo = reply
		_, m.ID, _ = s.splitAddress(reply)
	}
	if len(header) == 0 {
		m.Op = assumedOp(m.ID, m.Correlation)
		return m
	}
	if v := first(header, headerReply); v != "" {
		m.ReplyTo = v
	}
	readID(header, headerID, &m.ID)
	readID(header, headerCorrelation, &m.Correlation)
	m.Op = assumedOp(m.ID, m.Correlation)
	readID(header, headerOp, &m.Op)
	m.Kind = flows.ParseKind(first(header, headerKind))
	m.Key = first(header, headerKey)
	m.Trace = first(header, headerTrace)
	switch first(header, headerStatus) {
	case flows.Pending.String():
		m.Status = flows.Pending
	case flows.Denied.String():
		m.Status = flows.Denied
	}
	if len(body) == 0 && first(header, headerNotice) == noResponders {
		m.Err = flows.Fail(flows.NoResponders, errNobody)
	}
	return m
}

func first(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func readID(h nats.Header, name string, id *uint64) {
	if v := first(h, name); v != "" {
		if n, err := strconv.ParseUint(v, 16, 64); err == nil {
			*id = n
		}
	}
}

// Hand gives a message to the client library. Without an error it was handed
// over and nobody knows more.
func (c *Conn) Hand(m *nats.Msg) error {
	if err := c.NC.PublishMsg(m); err != nil {
		return c.PublishError(err)
	}
	c.cfg.Meter.Published.Add(1)
	return nil
}

// PublishError gives the library's error of a publish its outcome and class.
func (c *Conn) PublishError(err error) error {
	switch {
	case errors.Is(err, nats.ErrConnectionClosed) && c.Closed():
		return flows.ErrClosed
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionClosed):
		return flows.Fail(flows.Unreachable, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return flows.Fail(flows.TooLarge, err)
	case errors.Is(err, nats.ErrNoResponders):
		return flows.Fail(flows.NoResponders, err)
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return flows.Fail(flows.Internal, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return flows.Unknown(flows.Timeout, err)
	case errors.Is(err, context.Canceled):
		return flows.Unknown(flows.Canceled, err)
	}
	return flows.Unknown(flows.Disconnected, err) // a write that went wrong may have gone half way, or all of it
}

// Core publishes m over core NATS, without any confirm.
func (c *Conn) Core(ctx context.Context, m flows.Message) error {
	if err := ctx.Err(); err != nil {
		return flows.Fail(flows.Canceled, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	if err := c.Hand(c.Space.Encode(m, true)); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return nil
}
