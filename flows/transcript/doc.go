// Package transcript reads and draws transcripts: who told whom what, and when,
// while a flow performed one operation.
//
// A transcript is a text that people read and that a test compares. It is made
// in virtual time with constant delays, so that it changes when the flow does and
// at no other time. Each flow has one, with an episode for each way in which a
// command or a query can go:
//
//	flow: async-no-reply
//	participants: client-0 broker service-0
//
//	== command: done
//
//	  0.0  client-0   ->   broker     command 1 to requests
//	  0.3  broker     ->   service-0  command 1
//	  0.3  broker     -->  client-0   confirm of command 1
//	  0.3  client-0   =    ok, accepted
//	  3.3  service-0  :    has done command 1
//	  3.3  service-0  -->  broker     ack of command 1
//
// Times are milliseconds since the client took up the operation. Brokers and
// balancers note nothing themselves: what they tell has the time at which it
// arrived, and all else has the time at which it was sent. Lines that begin with
// # are remarks.
//
// [Parse] returns what such a text says as typed steps, [Transcript.String]
// writes it, and [Transcript.Mermaid] draws an episode as a sequence diagram. The
// package knows nothing of flows; texts and drawings are made from the same steps.
package transcript
