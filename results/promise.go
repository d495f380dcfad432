package results

import "fmt"

// The verdicts on a promise.
const (
	PromiseKept    = "kept"
	PromiseBroken  = "broken"
	PromiseUnknown = "unknown" // it cannot be told: not all is known of what became of the commands
)

// The promises, in words. The first two are those of flows; a flow that delivers
// at least once to a service that does nothing twice promises the third.
const (
	AtMostOnce      = "at most once"
	AtLeastOnce     = "at least once"
	EffectivelyOnce = "effectively once"
)

// PromiseOf returns what a flow and its service promise together.
func PromiseOf(flow string, idempotent bool) string {
	if flow == AtLeastOnce && idempotent {
		return EffectivelyOnce
	}
	return flow
}

// JudgePromise decides whether a promise was kept, and says by which counts it
// was broken. What is lost can only be told once the drain is proven; what
// happened twice, or should not have happened at all, stays true without it.
func JudgePromise(promise string, a Accounting, drained bool) (verdict string, broken []string) {
	broken = []string{}
	add := func(promise, what string, n, of int64) {
		if n > 0 {
			broken = append(broken, fmt.Sprintf("%s: %s %s", promise, amount(n, of), what))
		}
	}
	const always = "any flow"
	if promise != AtMostOnce && drained {
		add(promise, "that were acknowledged are lost", a.Lost, a.Acknowledged)
	}
	if promise != AtLeastOnce {
		add(promise, "that were applied are duplicated", a.Duplicated, a.Applied)
	}
	add(always, "are phantoms: reported as failed, and yet applied", a.Phantom, a.Attempted)
	if a.Unexpected > 0 {
		broken = append(broken, fmt.Sprintf("%s: unexpected %d times: applied or answered and never attempted, "+
			"or with other bytes than were sent", always, a.Unexpected))
	}
	switch {
	case len(broken) > 0:
		return PromiseBroken, broken
	case !drained || a.Unresolved > 0 || a.Attempted == 0:
		return PromiseUnknown, broken
	}
	return PromiseKept, broken
}

func amount(n, of int64) string { return fmt.Sprintf("%d of %d commands", n, of) }
