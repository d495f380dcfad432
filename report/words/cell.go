package words

import (
	"fmt"
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

// ownPart returns what stands in the id of a cell between its flow and broker and
// its edge: what the plan tells it apart by, such as a parameter of the broker.
func ownPart(c *results.Cell) string {
	rest, ok := strings.CutPrefix(c.ID, c.Flow+"-"+c.Broker+"-")
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

// Load describes the load of a cell in one phrase.
func Load(l results.Load) string {
	what := fmt.Sprintf("%s arrivals at %s/s", Clean(l.Arrivals), Digits(l.RatePerS))
	if !l.Open() {
		what = fmt.Sprintf("closed load of %s, think time %s", Plural(int64(l.Users), "user"), Duration(l.ThinkTime))
	}
	return fmt.Sprintf("%s, %s, %s commands, %s payload, timeout %s, %s measured after %s of warm-up",
		what, Plural(int64(l.Clients), "client"), Share(l.CommandShare), Bytes(float64(l.PayloadBytes)),
		Span(l.Timeout), Span(l.Measured), Span(l.Warmup))
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
