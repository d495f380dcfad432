package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// alike is how far apart two quantiles of one run must be for the verdict to put
// one before the other. Repeated runs on a quiet machine differ by less.
const alike = 1.25

// ended says how a run ended, as the style of its verdict: failed where an expectation
// did or a promise was broken, untold where there is no verdict, else nothing.
func ended(run *results.Run) string {
	broken := func(c *results.Cell) bool { return c.Verdict == results.PromiseBroken }
	spoilt := func(c *results.Cell) bool { return !c.Valid }
	switch end := run.ExpectationsEnd(); {
	case end == results.ExpectationFailed || slices.ContainsFunc(run.Cells, broken):
		return "failed"
	case end == results.ExpectationCannotTell || slices.ContainsFunc(run.Cells, spoilt):
		return "untold"
	}
	return ""
}

// verdict returns what the numbers of run say, in sentences, most important
// first.
func verdict(run *results.Run) []string {
	labels := words.Labels(run)
	sentences := append(underFaults(run, labels), shaped(run, labels)...)
	if anySweep(run) {
		sentences = append(sentences, knees(run, labels)...) // at rates of their own, latencies do not compare
	} else if told := crossovers(run); len(told) > 0 {
		sentences = append(sentences, told...) // flows are compared at each size instead of over all of them
	} else {
		sentences = append(sentences, fastest(run, labels)...)
	}
	sentences = slices.Concat(expected(run), besides(run), sentences)
	sentences = append(sentences, overtaking(run, labels)...)
	sentences = append(sentences, few(run, accounting(run, labels), "cells have accounts with such numbers")...)
	sentences = append(sentences, few(run, corrupted(run, labels), "cells have payloads that arrived as others")...)
	sentences = append(sentences, whoHeard(run, labels)...)
	sentences = append(sentences, staleReads(run, labels)...)
	sentences = append(sentences, few(run, invalid(run, labels), "cells are not valid")...)
	if s := closedLoad(run, labels); s != "" {
		sentences = append(sentences, s)
	}
	if s := often(run); s != "" {
		sentences = append(sentences, s)
	}
	return sentences
}

// simulated says what a simulation can be taken for, or nothing for a run.
func simulated(run *results.Run) string {
	if !run.Simulated {
		return ""
	}
	return "Simulated in virtual time: brokers and networks are models with the delays that the scenario gives " +
		"them. The flows are the real ones, so these numbers compare ways of talking, and no products."
}

// unfinished says that a run is not finished and how far it came, or nothing.
func unfinished(run *results.Run) string {
	if run.Finished {
		return ""
	}
	ended := 0
	for _, c := range run.Cells {
		if c.Finished {
			ended++
		}
	}
	s := fmt.Sprintf("This run is unfinished: %d of %s ended", ended, words.Plural(int64(len(run.CellIDs)), "cell"))
	if run.Reason != "" {
		s += " (" + words.Clean(run.Reason) + ")"
	}
	return s + "."
}

// A contender is a cell that can be compared with others.
type contender struct {
	label    string
	p99      time.Duration // to answered
	accepted time.Duration // p99 to accepted; 0 where that is no finding
}

// comparedKind returns the kind of operation that the verdict compares flows by:
// commands, which flows differ most in, unless the load had none.
func comparedKind(run *results.Run) results.Kind {
	for _, c := range run.Cells {
		if c.Load.CommandShare > 0 {
			return results.Command
		}
	}
	return results.Query
}

func plural(k results.Kind) string {
	if k == results.Query {
		return "queries"
	}
	return "commands"
}

// fastest says for each broker which flows answered fastest and which
// one slowest. Only valid cells with a resolved quantile take part.
func fastest(run *results.Run, labels []string) []string {
	kind := comparedKind(run)
	groups := make(map[string][]contender)
	var brokers []string
	for i, c := range run.Cells {
		h := c.LatencyOf(kind, results.AnsweredStage)
		if !c.Valid || h == nil || !h.Resolved(0.99) {
			continue
		}
		if groups[c.Broker] == nil {
			brokers = append(brokers, c.Broker)
		}
		who := contender{label: shortLabel(c, labels[i]), p99: h.Quantile(0.99)}
		if a := c.LatencyOf(kind, results.AcceptedStage); a != nil && a.Resolved(0.99) {
			who.accepted = a.Quantile(0.99)
		}
		groups[c.Broker] = append(groups[c.Broker], who)
	}
	if len(brokers) == 0 {
		return []string{"No valid cell has enough answered " + plural(kind) + " (1,000) to compare flows by p99."}
	}
	var sentences []string
	for _, b := range brokers {
		sentences = append(sentences, ranked(b, plural(kind), groups[b]))
	}
	return sentences
}

// shortLabel returns the label of c without its broker, for sentences that have
// named it.
func shortLabel(c *results.Cell, label string) string {
	if c.Broker == "" {
		return label
	}
	return strings.Replace(label, " on "+words.Clean(c.Broker), "", 1)
}

// ranked says how the contenders on one broker did. Those that are too close to
// the fastest to be ranked stand beside it.
func ranked(broker, operations string, group []contender) string {
	slices.SortStableFunc(group, func(a, b contender) int {
		return cmp.Or(cmp.Compare(a.p99, b.p99), cmp.Compare(a.label, b.label))
	})
	where := "On " + words.Clean(broker)
	if broker == "" {
		where = "Without a broker"
	}
	first, last := group[0], group[len(group)-1]
	var ahead []string
	for _, c := range group {
		if float64(c.p99) < alike*float64(first.p99) {
			ahead = append(ahead, c.label)
		}
	}
	s := fmt.Sprintf("%s, %s answered 99 %% of %s within %s", where, words.List(ahead), operations,
		words.Duration(first.p99))
	if len(ahead) > 1 {
		if slowest := words.Duration(group[len(ahead)-1].p99); slowest != words.Duration(first.p99) {
			s += " to " + slowest
		}
		s += ", too close to rank"
	}
	if len(ahead) == len(group) {
		return s + "."
	}
	s += fmt.Sprintf("; %s took longest, %s", last.label, words.Duration(last.p99))
	if last.accepted > 0 {
		s += fmt.Sprintf(", though its clients were told \u201caccepted\u201d within %s", words.Duration(last.accepted))
	}
	return s + "."
}

// accounting says what became of the commands that were acknowledged.
func accounting(run *results.Run, labels []string) []string {
	var attempted, acknowledged, applied int64
	var broken []string
	for i, c := range run.Cells {
		attempted += c.Accounting.Attempted
		acknowledged += c.Accounting.Acknowledged
		applied += c.Accounting.Applied
		if s := breaches(c); len(s) > 0 {
			broken = append(broken, fmt.Sprintf("%s: of %s acknowledged %s.", labels[i],
				words.Plural(c.Accounting.Acknowledged, "command"), words.List(s)))
		}
	}
	switch {
	case attempted == 0: // a load of queries
		return broken
	case acknowledged == 0:
		return append(broken, "No command was acknowledged.")
	case len(broken) == 0 && applied != acknowledged: // some were refused, or applied without their client's knowing
		return []string{fmt.Sprintf("Of %s acknowledged commands, none was lost and none was applied twice.",
			words.Count(acknowledged))}
	case len(broken) == 0:
		return []string{
			fmt.Sprintf("All %s acknowledged commands were applied exactly once.", words.Count(acknowledged)),
		}
	}
	return broken
}

// breaches lists in words how the account of a cell is not "exactly once".
func breaches(c *results.Cell) []string {
	a := c.Accounting
	var s []string
	for _, b := range []struct {
		n    int64
		what string
	}{
		{a.Lost, be(a.Lost) + " lost"},
		{a.Unresolved, "could not be accounted for"},
	} {
		if b.n > 0 {
			s = append(s, words.Count(b.n)+" "+b.what)
		}
	}
	if a.Duplicated > 0 {
		s = append(s, fmt.Sprintf("%s %s applied more than once (%s)", words.Count(a.Duplicated),
			be(a.Duplicated), words.Plural(a.Extra, "extra application")))
	}
	if a.Unexpected > 0 {
		s = append(s, words.Plural(a.Unexpected, "unexpected result")+" came")
	}
	if a.Phantom > 0 {
		s = append(s, words.Count(a.Phantom)+" "+be(a.Phantom)+" reported as failed and yet applied")
	}
	return s
}

// be returns "was" for one, and "were" for any other number.
func be(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// staleReads says where clients read the state before their own commands most
// often, if they did.
func staleReads(run *results.Run, labels []string) []string {
	var worst, late float64
	var where string
	for i, c := range run.Cells {
		if a := c.Stale.Accepted; a.Reads > 0 && float64(a.Stale)/float64(a.Reads) > worst {
			worst, where = float64(a.Stale)/float64(a.Reads), labels[i]
		}
		if b := c.Stale.Answered; b.Reads > 0 {
			late = max(late, float64(b.Stale)/float64(b.Reads))
		}
	}
	if worst+late == 0 {
		return nil
	}
	after := "after they had its result, never"
	if late > 0 {
		after = "after they had its result, in up to " + words.Share(late)
	}
	return []string{fmt.Sprintf("After \u201caccepted\u201d, clients read the state before their own command in up "+
		"to %s of the "+
		"cases (%s); %s.", words.Share(worst), where, after)}
}

// invalid says which cells are not valid and why.
func invalid(run *results.Run, labels []string) []string {
	var s []string
	for i, c := range run.Cells {
		if doubt := words.Doubt(c); doubt != "" {
			s = append(s, fmt.Sprintf("%s is %s: %s.", labels[i], doubt, words.List(cleaned(c.Why))))
		}
	}
	return s
}

func cleaned(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, t := range texts {
		out = append(out, words.Clean(t))
	}
	return out
}

// closedLoad warns of cells whose clients wait for their answers.
func closedLoad(run *results.Run, labels []string) string {
	var closed []string
	for i, c := range run.Cells {
		if !c.Load.Open() {
			closed = append(closed, labels[i])
		}
	}
	if len(closed) == 0 {
		return ""
	}
	which := "The load is closed: its"
	if len(closed) < len(run.Cells) {
		which = "Closed load in " + words.List(closed) + ": its"
	}
	return fmt.Sprintf("%s users wait for an answer before they ask again, so a stall is seen by "+
		"few of them and the quantiles look better than under arrivals that do not wait (coordinated omission).", which)
}
