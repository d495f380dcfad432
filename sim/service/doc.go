// Package service is the service behind every flow: the part of the world whose
// work the others carry.
//
// It has instances, each with a number of workers; a distribution of the time
// that one request takes; a share of requests that it refuses; and it may stall.
// All instances share one state, as services with one database do: a command
// changes the value of a key, a query reads it, and a status request tells what
// became of a command. What was applied, how often, when and in which order is
// told to a ledger, which is the other half of every account.
//
// How long an operation takes and whether it is refused depend only on the seed
// and the operation's id. Two flows that are given the same operations meet the
// same service, request by request, so that what differs between them is the
// flow.
package service
