package results

// A class is one line of the account.
type class uint8

// The classes, in the order in which they are shown.
const (
	classAttempted class = iota
	classAcknowledged
	classApplied
	classOK
	classFailed
	classLost
	classVanished
	classRefused
	classPhantom
	classUnknownApplied
	classUnknownNever
	classRecovered
	classDuplicated
	classExtra
	classRepeated
	classRedelivered
	classStoredTwice
	classReordered
	classUnexpected
	classTimedOut
	classTimedOutApplied
	classRepliedLate
	classReplyDuplicated
	classLateAnswers
	classUnresolved
	numClasses
)

// of returns the count of a class.
func (a *Accounting) of(c class) *int64 {
	return [numClasses]*int64{
		&a.Attempted, &a.Acknowledged, &a.Applied, &a.OK, &a.Failed, &a.Lost, &a.Vanished, &a.Refused, &a.Phantom,
		&a.UnknownApplied, &a.UnknownNever, &a.Recovered, &a.Duplicated, &a.Extra, &a.Repeated, &a.Redelivered,
		&a.StoredTwice,
		&a.Reordered, &a.Unexpected, &a.TimedOut, &a.TimedOutApplied, &a.RepliedLate, &a.ReplyDuplicated,
		&a.LateAnswers, &a.Unresolved,
	}[c]
}

// A Class is one line of an account, for those who show it.
type Class struct {
	Name string // in words
	Key  string // in result files
	Rule string // by which it is counted
	Of   func(Accounting) int64
}

// Classes returns the lines of an account, in the order in which they are shown.
func Classes() []Class {
	all := classTexts()
	for c := range numClasses {
		all[c].Of = func(a Accounting) int64 { return *a.of(c) }
	}
	return all[:]
}

func classTexts() [numClasses]Class {
	return [numClasses]Class{
		classAttempted: {Name: "attempted", Key: "attempted", Rule: "a client started it"},
		classAcknowledged: {Name: "acknowledged", Key: "acknowledged",
			Rule: "the client was told accepted or answered"},
		classApplied: {Name: "applied", Key: "applied", Rule: "the service did it at least once"},
		classOK:      {Name: "ok", Key: "ok", Rule: "applied, and all went well for its client"},
		classFailed:  {Name: "failed", Key: "failed", Rule: "reported as failed, and never applied"},
		classLost: {Name: "lost", Key: "lost",
			Rule: "acknowledged, not refused, and never applied by the end of the drain"},
		classVanished: {Name: "vanished", Key: "vanished", Rule: "handed over and never confirmed, and never applied"},
		classRefused: {Name: "refused", Key: "refused",
			Rule: "refused by the service after its client had let go of it"},
		classPhantom: {Name: "phantom", Key: "phantom", Rule: "reported as failed, and yet applied"},
		classUnknownApplied: {Name: "unknown but applied", Key: "unknown_applied",
			Rule: "unknown to the client, and applied"},
		classUnknownNever: {Name: "unknown and never", Key: "unknown_never",
			Rule: "unknown to the client, never acknowledged, and never applied"},
		classRecovered: {Name: "recovered", Key: "recovered",
			Rule: "started before a fault was undone, and first applied after that"},
		classDuplicated: {Name: "duplicated", Key: "duplicated", Rule: "applied more than once"},
		classExtra:      {Name: "extra", Key: "extra", Rule: "applications beyond the first, all together"},
		classRepeated: {Name: "repeated", Key: "repeated",
			Rule: "came again, and an idempotent service did not do it again"},
		classRedelivered: {Name: "redelivered", Key: "redelivered",
			Rule: "requests that reached a service again by the broker's own word, queries included"},
		classStoredTwice: {Name: "stored twice", Key: "stored_twice",
			Rule: "came to the service more often than the broker delivered it again: the broker had it twice"},
		classReordered: {Name: "reordered", Key: "reordered",
			Rule: "applied after one of the same key that was started only when this one had been acknowledged"},
		classUnexpected: {Name: "unexpected", Key: "unexpected",
			Rule: "applied, answered or heard of and never attempted, heard of and never applied, or with other bytes"},
		classTimedOut: {Name: "timed out", Key: "timed_out", Rule: "its client's patience ended"},
		classTimedOutApplied: {Name: "timed out, applied later", Key: "timed_out_applied",
			Rule: "timed out, and first applied after its client had let go of it"},
		classRepliedLate: {Name: "timed out, answered later", Key: "replied_late",
			Rule: "timed out, and an answer came when nobody waited any more"},
		classReplyDuplicated: {Name: "answered twice", Key: "reply_duplicated",
			Rule: "answered, and an answer came again; queries included"},
		classLateAnswers: {Name: "late answers", Key: "late_answers",
			Rule: "answers that came when nobody waited any more, all together; queries included"},
		classUnresolved: {Name: "unresolved", Key: "unresolved",
			Rule: "given up on, because more were undecided at once than the account holds"},
	}
}

// Closes reports whether every command that was attempted turned out in exactly
// one way. An account that gave up on commands cannot tell.
func (a Accounting) Closes() bool {
	return a.Unresolved > 0 || a.Attempted ==
		a.OK+a.Failed+a.Lost+a.Vanished+a.Refused+a.Phantom+a.UnknownApplied+a.UnknownNever
}
