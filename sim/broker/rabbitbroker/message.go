package rabbitbroker

import (
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/flows"
)

// The headers, for what AMQP has no property for.
const (
	headerOp     = "op"
	headerKey    = "key"
	headerStatus = "status"
	headerTrace  = "traceparent"
)

// encode writes m's fields where AMQP has its places for them.
func encode(m flows.Message) amqp.Publishing {
	p := amqp.Publishing{
		MessageId: writeID(m.ID), CorrelationId: writeID(m.Correlation), ReplyTo: m.ReplyTo,
		Type: m.Kind.String(), Body: m.Body,
	}
	set := func(name, value string) {
		if p.Headers == nil {
			p.Headers = make(amqp.Table, 2)
		}
		p.Headers[name] = value
	}
	if m.Op != assumedOp(m.ID, m.Correlation) {
		set(headerOp, strconv.FormatUint(m.Op, 16))
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
	return p
}

// decode reads a delivery to those who subscribed to subject.
func decode(subject string, d *amqp.Delivery) flows.Message {
	m := flows.Message{
		Subject: subject, ID: readID(d.MessageId), Correlation: readID(d.CorrelationId), ReplyTo: d.ReplyTo,
		Urgent: d.Priority > 0, Body: d.Body, Redelivered: d.Redelivered,
	}
	m.Op = assumedOp(m.ID, m.Correlation)
	m.Kind = flows.ParseKind(d.Type)
	if op, ok := d.Headers[headerOp].(string); ok {
		m.Op = readID(op)
	}
	m.Key, _ = d.Headers[headerKey].(string)
	m.Trace, _ = d.Headers[headerTrace].(string)
	switch d.Headers[headerStatus] {
	case flows.Pending.String():
		m.Status = flows.Pending
	case flows.Denied.String():
		m.Status = flows.Denied
	}
	return m
}

// assumedOp is the operation of a message that does not name it: the one that
// its id stands for, or for an answer the one that it answers.
func assumedOp(id, correlation uint64) uint64 {
	if id != 0 {
		return id
	}
	return correlation
}

// writeID writes an id as a property, 0 as its absence.
func writeID(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 16)
}

// readID reads an id. What is none, because somebody else wrote it, is 0.
func readID(s string) uint64 {
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0
	}
	return id
}
