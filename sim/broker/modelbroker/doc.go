// Package modelbroker is a broker that exists only in virtual time: a queueing
// model behind the ports that real brokers have.
//
// Every connection has a link, with a delay each way that is drawn anew for each
// message; a link keeps its messages in order, as a TCP connection does. Every
// subject has one server that works on its messages in the order in which they
// arrive, each for a time that is drawn from a distribution, as the core of a
// broker does that one queue is pinned to. What the server is done with is
// confirmed to the publisher, where that is asked for, and goes on to every
// group of the subject and to every subscriber without a group.
//
// At least once, a subscriber holds no more than its prefetch of messages that
// it has not acknowledged, counted at the broker; the others wait in the queue
// of their group, which is bounded. What is not acknowledged goes back to the
// front of its queue when the subscription closes, or when the ack wait has
// passed. A queue gives out what waits in the order of arrival, or what is urgent
// before the rest, if it is told to. At most once, messages go out as soon as they
// come in, in turn, and what is on its way when a subscription closes is lost.
//
// All delays are drawn from streams that are named by what they delay, so that
// one connection more does not change what the others meet.
//
// What goes wrong is data: a list of [Fault]. Links are slow, lose messages or
// are cut, the broker delivers twice or goes away for a while. A connection that
// was cut settles what is in flight as unknown, has what it held go to others,
// and connects again by itself, as real ones do.
package modelbroker
