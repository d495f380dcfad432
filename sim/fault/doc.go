// Package fault says what can go wrong between the parts of a world, and makes
// it go wrong at the right moments.
//
// A [Fault] is data: a name that scenarios use, a sentence for people, its
// parameters with units and bounds, and the places where it makes sense. Each
// has a file of its own, and [All] lists them; lists, documents and schemas are
// made from that. What a fault does is said in impairments of package link, one
// or several: an outage refuses new connections and resets those that exist.
//
// A [Schedule] is a list of [Entry]: from when, for how long, where, what. It is
// checked as a whole before anything begins, and then [Schedule.Run] works it off
// on the clock that it is given, so that the same schedule runs live and in
// virtual time. Entries may overlap, at one place too; each ends on its own.
//
// Three rules come from experience with tools that lacked them. Whatever happens,
// everything is healed at the end: when the load is aborted, when a fault cannot
// begin, when another cannot be healed. Begin and end are stamped before and
// after the act, because a stamp that is taken only after it makes clients appear
// to have noticed a fault before it happened. And a fault that met nothing is
// reported as one without effect, since what was measured meanwhile says nothing
// about it.
package fault
