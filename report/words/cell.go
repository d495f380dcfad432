package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flowbench/results"
)

// Labels returns a name for each cell of run, in the order of run.Cells: "flow
// on broker", or "flow" where there is no broker. Where that does not tell two
// cells apart, whatever does is added, at last the cell's id.
func Labels(run *results.Run) []string {
	labels := make([]string, len(run.Cells))
	for i, c := range run.Cells {
		labels[i] = Clean(c.Flow)
		if c.Broker != "" {
			labels[i] += " on " + Clean(c.Broker)
		}
	}
	for _, more := range []func(*results.Cell) string{
		func(c *results.Cell) string { return c.Edge },
		func(c *results.Cell) string { return c.Payload },
		func(c *results.Cell) string { return c.Store },
		func(c *results.Cell) string { return Size(c.Load.PayloadBytes) },
		shortLoad,
		ownPart,
		func(c *results.Cell) string { return c.ID },
	} {
		distinguish(labels, run.Cells, more)
	}
	return labels
}

// distinguish adds more of each cell to those labels that several cells share,
// if it tells at least two of them apart.
func distinguish(labels []string, cells []*results.Cell, more func(*results.Cell) string) {
	same := make(map[string][]int)
	for i, l := range labels {
		same[l] = append(same[l], i)
	}
	for _, group := range same {
		differ := false
		for _, i := range group {
			differ = differ || more(cells[i]) != more(cells[group[0]])
		}
		for _, i := range group {
			if s := Clean(more(cells[i])); differ && s != "" {
				labels[i] += ", " + s
			}
		}
	}
}

// Stem returns the id of a cell without what says how its payloads travel and how
// large they are, which plans write at its end. Cells that differ in nothing else
// have the same stem.
func Stem(c *results.Cell) string {
	id := strings.TrimSuffix(c.ID, "-"+sizeSlug(c.Load.PayloadBytes))
	if c.Store != "" {
		id = strings.TrimSuffix(id, "-"+slug(c.Store))
	}
	return strings.TrimSuffix(id, "-"+slug(c.Payload))
}

// InlineID returns the id that a plan gives to the cell of a stem whose payloads
// travel inline and have n bytes, among others of other sizes.
func InlineID(stem string, n int) string { return stem + "-" + sizeSlug(n) }

// sizeSlug returns a number of bytes as the ids of cells have it.
func sizeSlug(n int) string {
	if v, unit := sizeUnit(n); unit != "B" {
		return strconv.Itoa(v) + strings.ToLower(unit)
	}
	return strconv.Itoa(n)
}

// slug returns a name as the ids of cells have it.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// ownPart returns what stands in the id of a cell between its flow and broker and
// its edge: what the plan tells it apart by, such as a parameter of the broker.
func ownPart(c *results.Cell) string {
	rest, ok := strings.CutPrefix(Stem(c), c.Flow+"-"+c.Broker+"-")
	if !ok || rest == c.Edge {
		return ""
	}
	return strings.TrimSuffix(rest, "-"+c.Edge)
}

func shortLoad(c *results.Cell) string {
	if c.Load.Open() {
		return Digits(c.Load.RatePerS) + "/s"
	}
	return Plural(int64(c.Load.Users), "user")
}

// Load describes the load of a cell in one phrase. Payloads of no bytes are not
// mentioned: those who speak of many cells have said that they differ.
func Load(l results.Load) string {
	what := fmt.Sprintf("%s arrivals at %s/s", Clean(l.Arrivals), Digits(l.RatePerS))
	if l.Shape != "" {
		what = fmt.Sprintf("%s arrivals, %s", Clean(l.Arrivals), Clean(l.Shape))
	}
	if !l.Open() {
		what = fmt.Sprintf("closed load of %s, think time %s", Plural(int64(l.Users), "user"), Duration(l.ThinkTime))
	}
	payload := ""
	if l.PayloadBytes > 0 {
		payload = Bytes(float64(l.PayloadBytes)) + " payload, "
	}
	measured := Span(l.Measured)
	if n := l.Repeats; n > 1 {
		measured = fmt.Sprintf("%d × %s", n, Span(l.Measured/time.Duration(n)))
	}
	return fmt.Sprintf("%s, %s, %s commands, %stimeout %s, %s measured after %s of warm-up",
		what, Plural(int64(l.Clients), "client"), Share(l.CommandShare), payload,
		Span(l.Timeout), measured, Span(l.Warmup))
}

// Span returns a length of time that somebody chose, such as a timeout, without
// digits that say nothing.
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return "0 s"
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case d%time.Millisecond == 0 && d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
	return Duration(d)
}

// Doubt says why no verdict may rest on c, in a word or two: that it is not valid, or
// still runs. It is empty for a valid cell.
func Doubt(c *results.Cell) string {
	switch {
	case c.Valid:
		return ""
	case c.Running:
		return "running"
	}
	return "not valid"
}

// Doubted returns a name of c with the doubt about it in parentheses.
func Doubted(name string, c *results.Cell) string {
	if doubt := Doubt(c); doubt != "" {
		return name + " (" + doubt + ")"
	}
	return name
}

// End returns the last stage that operations of kind k reach in c, and their
// latency to it. It is answered for most flows; commands of a flow without
// answers end at applied, where the service did the work. The histogram is nil
// if none reached any stage.
func End(c *results.Cell, k results.Kind) (results.Stage, *results.Hist) {
	stages := results.Stages()
	for i := len(stages) - 1; i >= 0; i-- {
		if h := c.LatencyOf(k, stages[i]); h != nil {
			return stages[i], h
		}
	}
	return results.AnsweredStage, nil
}
