package live

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// latencyBounds and lagBounds are the upper bounds of the buckets of histograms.
func latencyBounds() []time.Duration {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	return []time.Duration{
		250 * us, 500 * us, ms, 2500 * us, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, s,
		2500 * ms, 5 * s, 10 * s, 30 * s, 60 * s,
	}
}

func lagBounds() []time.Duration {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	return []time.Duration{50 * us, 100 * us, 250 * us, 500 * us, ms, 2 * ms, 5 * ms, 10 * ms, 50 * ms, 250 * ms, s}
}

// maxFaults is how many names of faults a cell keeps.
const maxFaults = 64

// cellTotals are what metrics tell of one cell, from its beginning.
type cellTotals struct {
	cell           string
	live           results.Live
	inFlight       int64
	over           bool
	faults         []string // every one that was ever in force
	latency, lag   *results.Hist
	latencyBuckets bucketCounts // once the cell is over, instead of the histograms
	lagBuckets     bucketCounts
}

// bucketCounts is a histogram as Prometheus wants it.
type bucketCounts struct {
	atMost []int64 // values up to each bound, to the precision of [results.Hist]
	n      int64
	sum    float64 // in seconds
}

func newCellTotals(cell string) *cellTotals {
	return &cellTotals{cell: cell, latency: results.NewHist(), lag: results.NewHist()}
}

func (t *cellTotals) take(p Progress) {
	if p.Live.Latency != nil {
		t.latency.Merge(p.Live.Latency)
	}
	if p.Live.SendLag != nil {
		t.lag.Merge(p.Live.SendLag)
	}
	t.live, t.inFlight = p.Live, p.InFlight
	for _, name := range p.Live.Active {
		known := false
		for _, f := range t.faults {
			known = known || f == name
		}
		if !known && len(t.faults) < maxFaults {
			t.faults = append(t.faults, name)
		}
	}
}

// end keeps the numbers of a cell that is over without its histograms.
func (t *cellTotals) end() {
	if t.over {
		return
	}
	t.over, t.inFlight = true, 0
	t.live.Active, t.live.Latency, t.live.SendLag = nil, nil, nil
	t.latencyBuckets, t.lagBuckets = countBuckets(t.latency, latencyBounds()), countBuckets(t.lag, lagBounds())
	t.latency, t.lag = nil, nil
}

func countBuckets(h *results.Hist, bounds []time.Duration) bucketCounts {
	c := bucketCounts{atMost: make([]int64, len(bounds)), n: h.N(), sum: h.Mean().Seconds() * float64(h.N())}
	for b := range h.Buckets() {
		for i, bound := range bounds {
			if b.From < bound {
				c.atMost[i] += b.Count
			}
		}
	}
	return c
}

// Metrics answers with the numbers of the run in the text format of Prometheus,
// version 0.0.4. The counters of a cell stay when it is over, as counters must.
func (f *Feed) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.Error(w, "the metrics are at /metrics", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, f.exposition()) // a scraper that has gone has gone
	})
}

// An exposition is text in the format of Prometheus that is being written.
type exposition struct{ b strings.Builder }

// family begins a family of metrics.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(&e.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one number. Labels are names and values in turns.
func (e *exposition) sample(name string, value float64, labels ...string) {
	e.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		e.b.WriteString([]string{",", "{"}[b2i(i == 0)])
		fmt.Fprintf(&e.b, `%s="%s"`, labels[i], quoted(labels[i+1]))
	}
	if len(labels) > 0 {
		e.b.WriteByte('}')
	}
	e.b.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoted returns a label's value with what the format wants escaped.
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(words.Clean(s))
}

func (e *exposition) histogram(
	name string, cells []*cellTotals, of func(*cellTotals) bucketCounts, bounds []time.Duration,
) {
	for _, t := range cells {
		c := of(t)
		for i, bound := range bounds {
			le := strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)
			e.sample(name+"_bucket", float64(c.atMost[i]), "cell", t.cell, "le", le)
		}
		e.sample(name+"_bucket", float64(c.n), "cell", t.cell, "le", "+Inf")
		e.sample(name+"_sum", c.sum, "cell", t.cell)
		e.sample(name+"_count", float64(c.n), "cell", t.cell)
	}
}

// exposition returns all metrics.
func (f *Feed) exposition() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var e exposition
	e.family("flowbench_run_info", "gauge", "The run that these metrics are of; always 1.")
	e.sample("flowbench_run_info", 1, "run", f.run.ID, "scenario", f.run.Scenario,
		"simulated", strconv.FormatBool(f.run.Simulated))
	e.family("flowbench_cells", "gauge", "Cells of the plan, and of these begun.")
	e.sample("flowbench_cells", float64(len(f.run.CellIDs)), "state", "planned")
	e.sample("flowbench_cells", float64(len(f.cells)), "state", "begun")
	e.family("flowbench_cell_active", "gauge", "Whether the cell is under way.")
	for _, t := range f.cells {
		e.sample("flowbench_cell_active", float64(b2i(!t.over)), "cell", t.cell)
	}
	e.family("flowbench_operations_due_total", "counter", "Operations that were due and have ended.")
	f.eachCounts(func(t *cellTotals, phase string, c results.Counts) {
		e.sample("flowbench_operations_due_total", float64(c.Due), "cell", t.cell, "phase", phase)
	})
	e.family("flowbench_operations_total", "counter", "Operations that have ended, by how.")
	f.eachCounts(func(t *cellTotals, phase string, c results.Counts) {
		for _, o := range []struct {
			name string
			n    int64
		}{{"ok", c.OK}, {"failed", c.Failed}, {"unknown", c.Unknown}, {"dropped", c.Dropped}} {
			e.sample("flowbench_operations_total", float64(o.n), "cell", t.cell, "phase", phase, "outcome", o.name)
		}
	})
	f.exposeAccounts(&e)
	e.family("flowbench_in_flight", "gauge", "Operations under way.")
	for _, t := range f.cells {
		e.sample("flowbench_in_flight", float64(t.inFlight), "cell", t.cell)
	}
	e.family("flowbench_fault_active", "gauge", "Whether a fault is in force; absent before it first was.")
	for _, t := range f.cells {
		for _, name := range t.faults {
			e.sample("flowbench_fault_active", float64(b2i(isActive(t, name))), "cell", t.cell, "fault", name)
		}
	}
	e.family("flowbench_latency_seconds", "histogram",
		"Time from when an operation was due until its client was told the last, of those that ended ok.")
	e.histogram("flowbench_latency_seconds", f.cells, (*cellTotals).latencies, latencyBounds())
	e.family("flowbench_send_lag_seconds", "histogram", "How late operations were started.")
	e.histogram("flowbench_send_lag_seconds", f.cells, (*cellTotals).lags, lagBounds())
	return e.b.String()
}

func (f *Feed) exposeAccounts(e *exposition) {
	e.family("flowbench_commands_total", "counter", "What became of commands, by class of the account.")
	for _, t := range f.cells {
		for _, c := range classes(t.live.Account) {
			if c.name != "undecided" { // it falls as well
				e.sample("flowbench_commands_total", float64(c.n), "cell", t.cell, "class", c.name)
			}
		}
	}
}

func (f *Feed) eachCounts(do func(t *cellTotals, phase string, c results.Counts)) {
	for _, t := range f.cells {
		do(t, "measured", t.live.Counts)
		do(t, "warmup", t.live.Warmup)
	}
}

func isActive(t *cellTotals, name string) bool {
	for _, active := range t.live.Active {
		if active == name {
			return true
		}
	}
	return false
}

func (t *cellTotals) latencies() bucketCounts {
	if t.over {
		return t.latencyBuckets
	}
	return countBuckets(t.latency, latencyBounds())
}

func (t *cellTotals) lags() bucketCounts {
	if t.over {
		return t.lagBuckets
	}
	return countBuckets(t.lag, lagBounds())
}
