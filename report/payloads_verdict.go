package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// mostGroupsTold is of how many flows and brokers the verdict says one by one where
// ways cross; of more, it says what they have in common.
const mostGroupsTold = 3

// crossovers says which way for payloads is better from which size on.
func crossovers(run *results.Run) []string {
	c := crossover.Of(run)
	if c == nil {
		return nil
	}
	sentences := []string{smallest(c)}
	if len(c.Groups) > mostGroupsTold {
		sentences = append(sentences, inCommon(c, "reference", func(g crossover.Group) crossover.Comparison {
			_, f := c.BestReference(g, []crossover.Way{crossover.Inline()})
			return f
		}), inCommon(c, "stream", func(g crossover.Group) crossover.Comparison {
			return c.Compare(g, []crossover.Way{crossover.Stream()}, []crossover.Way{crossover.Inline()})
		}))
	}
	sentences = append(sentences, largest(c))
	if len(c.Groups) > mostGroupsTold || len(c.Ways) == 1 {
		sentences = append(sentences, endsInCommon(c))
	}
	if len(c.Ways) == 1 {
		return slices.DeleteFunc(sentences, func(s string) bool { return s == "" })
	}
	if len(c.Groups) <= mostGroupsTold {
		for _, g := range c.Groups {
			sentences = append(sentences, crossoverSentence(c, g))
		}
	}
	return slices.DeleteFunc(sentences, func(s string) bool { return s == "" })
}

// crossoverSentence says of one flow on one broker which way overtakes which, and
// where inline ends.
func crossoverSentence(c *crossover.Chart, g crossover.Group) string {
	clauses := slices.DeleteFunc(clausesOf(c, g), func(s string) bool { return s == "" })
	if len(clauses) == 0 {
		return ""
	}
	return groupName(c, g) + ": " + strings.Join(clauses, "; ") + "."
}

// endsInCommon says where inline ends, broker by broker if it does so at the same size
// in all flows on it.
func endsInCommon(c *crossover.Chart) string {
	last := make(map[string]map[int]bool) // of each broker; -1 where inline does not end
	for _, g := range c.Groups {
		if last[g.Broker] == nil {
			last[g.Broker] = make(map[int]bool)
		}
		end := -1
		if g.Ends != nil {
			end = g.Ends.Last
		}
		last[g.Broker][end] = true
	}
	where := make(map[int][]string)
	var failed, left bool
	for _, g := range c.Groups {
		if g.Ends == nil {
			continue
		}
		failed, left = failed || g.Ends.Failed, left || !g.Ends.Failed
		name := g.Name
		if len(last[g.Broker]) == 1 && g.Broker != "" {
			name = words.Clean(g.Broker)
		}
		if !slices.Contains(where[g.Ends.Last], name) {
			where[g.Ends.Last] = append(where[g.Ends.Last], name)
		}
	}
	var parts []string
	for _, bytes := range slices.Sorted(maps.Keys(where)) {
		at := "at " + words.Size(bytes)
		if bytes == 0 {
			at = "before the smallest size"
		}
		parts = append(parts, at+" ("+some(where[bytes])+")")
	}
	why := "do not fit into a message"
	switch {
	case len(parts) == 0:
		return ""
	case failed && left:
		why += ", or failed as too large"
	case failed:
		why = "failed as too large"
	}
	return fmt.Sprintf("Inline ends %s: larger payloads %s.", words.List(parts), why)
}

// inCommon says in how many cases a way overtakes inline, between which sizes all of
// these lie, and how the others went.
func inCommon(c *crossover.Chart, name string, compare func(crossover.Group) crossover.Comparison) string {
	var told, between, ahead, never, parts, slower, from, latest int
	for _, g := range c.Groups {
		f := compare(g)
		if f.Finding != crossover.Untold {
			told++
		}
		switch {
		case f.Finding == crossover.Never:
			never++
		case f.Finding == crossover.InParts:
			parts++
		case f.Finding == crossover.From && f.Slower > 0:
			if between++; between == 1 || f.Slower < slower {
				slower = f.Slower
			}
			from = max(from, f.From)
		case f.Finding == crossover.From || f.Finding == crossover.Always:
			ahead++
			latest = max(latest, f.From)
		}
	}
	var clauses []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			clauses = append(clauses, fmt.Sprintf(format, args...)+fmt.Sprintf(" in %d", n))
		}
	}
	add(between, "overtakes inline between %s and %s", words.Size(slower), words.Size(from))
	add(ahead, "is slower at no size and faster from %s on", words.Size(latest))
	add(parts, "is faster at some sizes and not from any on")
	add(never, "is never faster within what was measured of both")
	switch len(clauses) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("In %s, %s %s.", pairs(told, told), name, clauses[0][:strings.LastIndex(clauses[0], " in ")])
	}
	return fmt.Sprintf("Of %d %s, %s %s.", told, "pairs of flow and broker", name, words.List(clauses))
}

// pairs names n of all pairs of flow and broker.
func pairs(n, of int) string {
	switch {
	case n == of && of == 2:
		return "both pairs of flow and broker"
	case n == of:
		return fmt.Sprintf("all %d pairs of flow and broker", n)
	}
	return fmt.Sprintf("%d of %d pairs of flow and broker", n, of)
}

// smallest says up to which size payloads had better travel inline.
func smallest(c *crossover.Chart) string {
	inline := crossover.Inline()
	if len(c.Ways) < 2 || !slices.Contains(c.Ways, inline) {
		return ""
	}
	reaches := make(map[int][]string)
	var sizes []int
	var never []string
	for _, g := range c.Groups {
		switch reach := c.Reach(g, inline); {
		case reach > 0:
			if reaches[reach] == nil {
				sizes = append(sizes, reach)
			}
			reaches[reach] = append(reaches[reach], g.Name)
		case slices.ContainsFunc(c.Sizes, func(n int) bool { return g.At(inline, n).Solid() }):
			never = append(never, g.Name)
		}
	}
	slices.Sort(sizes)
	switch {
	case len(sizes) == 0 && len(never) == 0:
		return ""
	case len(sizes) == 0:
		return fmt.Sprintf("By the median from due to %s, inline is not the fastest way even at %s, the smallest size.",
			lastStage(c), words.Size(c.Sizes[0]))
	}
	s := fmt.Sprintf("Brokers are made for many small messages: by the median from due to %s, inline is the fastest "+
		"way, or alike the fastest, for payloads of up to ", lastStage(c))
	if len(sizes) == 1 {
		s += words.Size(sizes[0])
		if n := len(reaches[sizes[0]]); n > 1 && n == len(c.Groups) {
			s += " in " + pairs(n, n)
		}
	} else {
		least, most := sizes[0], sizes[len(sizes)-1]
		s += fmt.Sprintf("%s (%s) to %s (%s)", words.Size(least), some(reaches[least]), words.Size(most),
			some(reaches[most]))
	}
	if len(never) > 0 {
		s += fmt.Sprintf("; in %s it is neither, even at %s", some(never), words.Size(c.Sizes[0]))
	}
	return s + "."
}

// lastStage says where the times of a chart end, in a sentence.
func lastStage(c *crossover.Chart) string {
	if s := stageOf(c); s != severalStages {
		return s
	}
	return "the last stage of each flow"
}

// largest says which way is the fastest for the largest payloads.
func largest(c *crossover.Chart) string {
	if len(c.Ways) < 2 || len(c.Sizes) < 2 {
		return ""
	}
	bytes := c.Sizes[len(c.Sizes)-1]
	ahead := make(map[string]int)
	var modes []string
	var stores []string // that are the fastest where references are
	told, alike := 0, 0
	for _, g := range c.Groups {
		leaders := c.Leaders(g, bytes)
		if len(leaders) == 0 || c.Modes(g, bytes) < 2 {
			continue
		}
		told++
		first := leaders[0]
		if slices.ContainsFunc(leaders, func(w crossover.Way) bool { return w.Mode != first.Mode }) {
			alike++
			continue
		}
		if ahead[first.Mode]++; ahead[first.Mode] == 1 {
			modes = append(modes, first.Mode)
		}
		if first.ByReference() && !slices.Contains(stores, first.Store) {
			stores = append(stores, first.Store)
		}
	}
	if told == 0 {
		return ""
	}
	slices.SortStableFunc(modes, func(a, b string) int { return ahead[b] - ahead[a] })
	var parts []string
	add := func(n int, part string) {
		switch {
		case n == told && told > 1:
			part += " in " + pairs(n, told)
		case told > 1:
			part += fmt.Sprintf(" in %d", n)
		}
		parts = append(parts, part)
	}
	for i, m := range modes {
		part := m
		if m == crossover.Reference().Mode {
			part += " (over " + words.List(stores) + ")"
		}
		if i == 0 {
			part += " is the fastest way"
		}
		add(ahead[m], part)
	}
	if alike > 0 {
		add(alike, "the fastest ways are alike")
	}
	s := fmt.Sprintf("At %s, the largest size, %s", words.Size(bytes), words.List(parts))
	if len(parts) > 1 {
		s += fmt.Sprintf(" of %d pairs of flow and broker", told)
	}
	return s + "."
}

// clauseHeads names what clausesOf returns.
func clauseHeads() []string {
	return []string{
		"reference against inline", "stream against inline", "reference against stream", "where inline ends",
	}
}

// clausesOf says of one flow on one broker which way overtakes which, and where
// inline ends. A clause is empty where there is nothing to compare.
func clausesOf(c *crossover.Chart, g crossover.Group) []string {
	inline, stream := []crossover.Way{crossover.Inline()}, []crossover.Way{crossover.Stream()}
	clauses := make([]string, 4)
	references := slices.DeleteFunc(c.References(), func(w crossover.Way) bool { return !g.Has(w) })
	if len(references) > 0 && g.Has(inline[0]) {
		w, f := c.BestReference(g, inline)
		name := w.String()
		if f.Finding <= crossover.Never {
			name = referencesName(references)
		}
		clauses[0] = overtakes(name, "inline", f)
	}
	if g.Has(stream[0]) && g.Has(inline[0]) {
		clauses[1] = overtakes("stream", "inline", c.Compare(g, stream, inline))
	}
	if len(references) > 0 && g.Has(stream[0]) {
		clauses[2] = remedies(c, g, references)
	}
	if g.Ends != nil {
		clauses[3] = ends(*g.Ends)
	}
	return clauses
}

// ends says where inline ends.
func ends(e crossover.End) string {
	switch {
	case e.Last == 0 && e.Failed:
		return fmt.Sprintf("inline never goes: payloads of %s failed as too large", words.Size(e.Next))
	case e.Last == 0:
		return fmt.Sprintf("inline never goes: %s does not fit into a message", words.Size(e.Next))
	case e.Failed:
		return fmt.Sprintf("inline ends at %s: payloads of %s failed as too large",
			words.Size(e.Last), words.Size(e.Next))
	}
	return fmt.Sprintf("inline ends at %s: %s does not fit into a message", words.Size(e.Last), words.Size(e.Next))
}

// referencesName names the ways over stores, where what is said holds for all.
func referencesName(references []crossover.Way) string {
	if len(references) == 1 {
		return references[0].String()
	}
	return "reference over any store"
}

// remedies compares the ways that are made for large payloads.
func remedies(c *crossover.Chart, g crossover.Group, references []crossover.Way) string {
	stream := []crossover.Way{crossover.Stream()}
	w, f := c.BestReference(g, stream)
	if f.Finding == crossover.From || f.Finding == crossover.Always || f.Finding == crossover.Untold {
		if f.Finding == crossover.Untold {
			return overtakes(referencesName(references), "stream", f)
		}
		return overtakes(w.String(), "stream", f)
	}
	back := c.Compare(g, stream, references)
	switch {
	case back.Finding == crossover.From || back.Finding == crossover.Always:
		return overtakes("stream", referencesName(references), back)
	case back.Finding == crossover.Never && f.Finding == crossover.Never:
		return fmt.Sprintf("%s and stream are alike within what was measured of both, %s", bestName(references),
			reach(back.Measured))
	case f.Finding == crossover.Never:
		return overtakes("stream", referencesName(references), back)
	case back.Finding == crossover.Never:
		return overtakes(w.String(), "stream", f)
	}
	return "neither " + referencesName(references) + " nor stream stays ahead of the other up to the largest size"
}

// bestName names the store that is compared where none is ahead.
func bestName(references []crossover.Way) string {
	if len(references) == 1 {
		return references[0].String()
	}
	return "reference over the fastest store"
}

// overtakes says what a comparison found, and the numbers at the largest size at
// which the first is faster. What lies between two measured sizes nobody knows, so
// both are named.
func overtakes(a, b string, f crossover.Comparison) string {
	proof := ""
	if n := len(f.At); n > 0 {
		proof = fmt.Sprintf(" (at %s %s against %s)", words.Size(f.At[n-1]), words.Duration(f.A.Median),
			words.Duration(f.B.Median))
	}
	switch f.Finding {
	case crossover.Never:
		s := fmt.Sprintf("%s is never faster than %s within what was measured of both, %s", a, b, reach(f.Measured))
		return s + asFast(f)
	case crossover.Always:
		if len(f.Measured) == 1 {
			return fmt.Sprintf("%s is faster than %s at %s, the only size of both%s", a, b, words.Size(f.From), proof)
		}
		return fmt.Sprintf("%s is faster than %s at every size of both%s", a, b, proof)
	case crossover.From:
		if f.Slower > 0 {
			return fmt.Sprintf("%s overtakes %s between %s and %s%s",
				a, b, words.Size(f.Slower), words.Size(f.From), proof)
		}
		return fmt.Sprintf("%s is faster than %s from %s on and not slower below%s", a, b, words.Size(f.From), proof)
	case crossover.InParts:
		s := fmt.Sprintf("%s is faster than %s at %s only", a, b, sizes(f.At))
		return s + asFast(f)
	default:
		return fmt.Sprintf("of %s and %s no size has enough operations of both", a, b)
	}
}

// asFast says at which of the largest sizes neither is faster, if there are any.
func asFast(f crossover.Comparison) string {
	switch last := f.Measured[len(f.Measured)-1]; f.Alike {
	case 0:
		return ""
	case f.Measured[0]:
		return ", and nowhere slower"
	case last:
		return ", and as fast at " + words.Size(last)
	default:
		return ", and as fast from " + words.Size(f.Alike) + " to " + words.Size(last)
	}
}

// reach returns from where to where sizes go.
func reach(all []int) string {
	first, last := words.Size(all[0]), words.Size(all[len(all)-1])
	if first == last {
		return first
	}
	return first + " to " + last
}

// sizes lists sizes.
func sizes(all []int) string {
	var names []string
	for _, n := range all {
		names = append(names, words.Size(n))
	}
	return words.List(names)
}

// corrupted says where payloads arrived with other bytes than were sent.
func corrupted(run *results.Run, labels []string) []string {
	var s []string
	for i, c := range run.Cells {
		if c.Payloads != nil && c.Payloads.Corrupt > 0 {
			s = append(s, fmt.Sprintf("%s: %s arrived with other bytes than were sent.", labels[i],
				words.Plural(c.Payloads.Corrupt, "payload")))
		}
	}
	return s
}

// few returns the first of many sentences, and how many more there are, where a run
// has so many cells that a sentence of each would bury the verdict.
func few(run *results.Run, all []string, what string) []string {
	const most = 4
	if c := crossover.Of(run); c == nil || !c.Crowded || len(all) <= most {
		return all
	}
	return append(slices.Clone(all[:most-1]), fmt.Sprintf("%s more %s; they are listed below.",
		words.Count(int64(len(all)-most+1)), what))
}
