package expect

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowbench/results"
)

// A Metric is something that statements can be about. Where its name has pN in it,
// N is any percentile from p0.1 to p99.999, and max stands for the largest value.
type Metric struct {
	Name     string
	About    string
	Unit     Unit
	Windowed bool // it is known by window as well, in cells with faults
	Exact    bool // it is counted one by one, so that a late generator does not spoil it
}

// A metric is a Metric with the way to read it.
type metric struct {
	Metric
	read     func(c *results.Cell, w *results.Window) figure // w is nil for the whole measured time
	hist     func(c *results.Cell, w *results.Window) *results.Hist
	quantile float64 // of hist
}

// A figure is what a cell says of a metric.
type figure struct {
	value float64
	n     int64  // how many samples it is from; 0 where that says nothing
	none  bool   // the cell has nothing of the kind
	why   string // it cannot be told
}

// Metrics returns all that statements can be about, in the order of their
// documentation.
func Metrics() []Metric {
	var all []Metric
	for _, m := range metrics() {
		all = append(all, m.Metric)
	}
	return all
}

func metrics() []metric {
	return slices.Concat(latencies(), outcomes(), rates(), accounts(), faulted(), besides())
}

// latencies are of operations that ended ok, from when they were due.
func latencies() []metric {
	about := map[results.Stage]string{
		results.AcceptedStage: "somebody took responsibility", results.AppliedStage: "the service had done the work",
		results.AnsweredStage: "the client knew the result",
	}
	var all []metric
	for _, s := range results.Stages() {
		all = append(all, metric{
			Metric: Metric{Name: s.String() + ".pN", Unit: Time, Windowed: s != results.AppliedStage,
				About: "time from when an operation was due until " + about[s]},
			hist: func(c *results.Cell, w *results.Window) *results.Hist {
				if w != nil {
					return w.Latency[s.String()]
				}
				return c.LatencyOfAll(s)
			},
		})
		for _, k := range results.Kinds() {
			all = append(all, metric{
				Metric: Metric{Name: s.String() + "." + k.String() + ".pN", Unit: Time,
					About: "the same of " + map[results.Kind]string{0: "commands", 1: "queries"}[k] + " alone"},
				hist: func(c *results.Cell, _ *results.Window) *results.Hist { return c.LatencyOf(k, s) },
			})
		}
	}
	return all
}

// outcomes are how operations that were due in the measured time ended.
func outcomes() []metric {
	var all []metric
	for _, o := range []struct {
		name, about string
		of          func(results.Counts) int64
	}{
		{"due", "operations that were due", func(n results.Counts) int64 { return n.Due }},
		{"ok", "operations that ended ok", func(n results.Counts) int64 { return n.OK }},
		{"failed", "operations that failed", func(n results.Counts) int64 { return n.Failed }},
		{"unknown", "operations of which nobody knows what became", func(n results.Counts) int64 { return n.Unknown }},
		{"dropped", "operations that were due and never started", func(n results.Counts) int64 { return n.Dropped }},
	} {
		counts := func(c *results.Cell, w *results.Window) results.Counts {
			if w != nil {
				return w.Counts
			}
			return c.Counts
		}
		all = append(all, metric{
			Metric: Metric{Name: o.name, About: o.about, Windowed: true, Exact: true},
			read: func(c *results.Cell, w *results.Window) figure {
				n := counts(c, w)
				return figure{value: float64(o.of(n)), n: n.Due}
			},
		})
		if o.name == "due" {
			continue
		}
		all = append(all, metric{
			Metric: Metric{Name: o.name + ".share", About: "share of " + o.about + ", of all that were due",
				Unit: Share, Windowed: true, Exact: true},
			read: func(c *results.Cell, w *results.Window) figure {
				n := counts(c, w)
				return share(o.of(n), n.Due)
			},
		})
	}
	return all
}

// share returns n as a part of all, which cannot be told of nothing.
func share(n, all int64) figure {
	if all == 0 {
		return figure{why: "nothing was counted that it could be a share of"}
	}
	return figure{value: float64(n) / float64(all), n: all}
}

func rates() []metric {
	return []metric{
		{Metric: Metric{Name: "rate.offered", About: "operations due per second", Unit: Rate},
			read: func(c *results.Cell, _ *results.Window) figure {
				return figure{value: c.OfferedPerS(), n: c.Counts.Due}
			}},
		{Metric: Metric{Name: "knee", Unit: Rate,
			About: "highest rate at which the cell met the objective of its sweep"},
			read: func(c *results.Cell, _ *results.Window) figure {
				switch s := c.Sweep; {
				case s == nil:
					return figure{none: true}
				case s.State == results.SweepFound || s.State == results.SweepUnmet || s.State == results.SweepAtLeast:
					return figure{value: s.KneePerS, n: int64(len(s.Trials))}
				default:
					return figure{value: s.KneePerS, n: int64(len(s.Trials)), why: "the sweep is " + string(s.State)}
				}
			}},
		{Metric: Metric{Name: "rate.ok", About: "operations per second that ended ok", Unit: Rate},
			read: func(c *results.Cell, _ *results.Window) figure {
				return figure{value: c.AchievedPerS(), n: c.Counts.Due}
			}},
		cost("broker_msgs", "messages published to the broker per operation, answers included", None,
			func(c results.Cost) *float64 { return c.BrokerMsgs }),
		cost("broker_deliveries", "messages received from the broker per operation", None,
			func(c results.Cost) *float64 { return c.BrokerDeliveries }),
		cost("broker_bytes", "bytes to and from the broker per operation", Bytes,
			func(c results.Cost) *float64 { return c.BrokerBytes }),
		cost("http_requests", "calls over the edge per operation, polls included", None,
			func(c results.Cost) *float64 { return c.HTTPRequests }),
		cost("http_bytes", "bytes over the edge per operation", Bytes,
			func(c results.Cost) *float64 { return c.HTTPBytes }),
		cost("store_requests", "requests to the store per operation", None,
			func(c results.Cost) *float64 { return c.StoreRequests }),
		cost("store_bytes", "bytes to and from the store per operation", Bytes,
			func(c results.Cost) *float64 { return c.StoreBytes }),
		cost("cpu", "CPU time of the flowbench process per operation, generator included", Time,
			func(c results.Cost) *float64 {
				if c.CPUus == nil {
					return nil
				}
				ns := *c.CPUus * float64(time.Microsecond)
				return &ns
			}),
	}
}

func cost(name, about string, unit Unit, of func(results.Cost) *float64) metric {
	return metric{Metric: Metric{Name: "cost." + name, About: about, Unit: unit},
		read: func(c *results.Cell, _ *results.Window) figure {
			v := of(c.Cost)
			if v == nil {
				return figure{none: true}
			}
			return figure{value: *v, n: c.Counts.Due}
		}}
}

// brokenMetric is final even where the account is not: promises that more could mend
// are not called broken.
const brokenMetric = "broken"

// accounts are the classes of the account of commands, the warm-up included. Those
// that are called like outcomes of operations go by another name.
func accounts() []metric {
	var all []metric
	for _, class := range results.Classes() {
		name := class.Key
		if name == "ok" || name == "failed" {
			name = "commands." + name
		}
		all = append(all, metric{
			Metric: Metric{Name: name, About: "commands: " + class.Rule, Windowed: true, Exact: true},
			read: func(c *results.Cell, w *results.Window) figure {
				a := c.Accounting
				if w != nil {
					a = w.Accounting
				}
				return figure{value: float64(class.Of(a)), n: a.Attempted}
			},
		})
	}
	return append(all, metric{
		Metric: Metric{Name: brokenMetric, About: "promises of the flow that were broken", Exact: true},
		read: func(c *results.Cell, _ *results.Window) figure {
			if c.Verdict == results.PromiseUnknown {
				return figure{why: "it is not known whether the promise was kept"}
			}
			return figure{value: float64(len(c.Broken)), n: c.Accounting.Attempted}
		},
	})
}

// faulted are what faults did: of several in a cell, the worst.
func faulted() []metric {
	at := func(m results.Moment) float64 {
		if !m.Seen {
			return math.Inf(1)
		}
		return float64(m.After)
	}
	var all []metric
	for _, f := range []struct {
		name, about string
		unit        Unit
		of          func(*results.Recovery) float64
	}{
		{"recover", "time from when a fault was undone until all was well", Time,
			func(r *results.Recovery) float64 { return at(r.Recover) }},
		{"detect", "time from when a fault began until a client noticed", Time,
			func(r *results.Recovery) float64 { return at(r.Detect) }},
		{"down", "time in which less than half as many operations as before ended ok", Time,
			func(r *results.Recovery) float64 { return float64(r.Down) }},
		{"gap", "longest time in which no operation ended ok", Time,
			func(r *results.Recovery) float64 { return float64(r.Gap) }},
		{"drain", "time from when a fault was undone until the backlog was as before", Time,
			func(r *results.Recovery) float64 { return at(r.Drain) }},
		{"backlog", "most commands that were acknowledged and not yet applied", None,
			func(r *results.Recovery) float64 { return float64(r.Backlog) }},
	} {
		all = append(all, metric{
			Metric: Metric{Name: f.name, About: f.about, Unit: f.unit},
			read:   func(c *results.Cell, _ *results.Window) figure { return worst(c, f.of) },
		})
	}
	return all
}

// worst returns the largest value over the faults of a cell.
func worst(c *results.Cell, of func(*results.Recovery) float64) figure {
	f := figure{none: true}
	for _, fault := range c.Faults {
		switch r := fault.Recovery; {
		case fault.Absent:
		case fault.Effect == "":
			return figure{why: "fault " + fault.What + " on " + fault.On + " had no effect"}
		case r == nil:
			return figure{why: "too little was before fault " + fault.What + " to compare with"}
		default:
			f.none = false
			f.value, f.n = max(f.value, of(r)), f.n+r.Offered
		}
	}
	return f
}

// besides are what others than the client that asked see, and the generator.
func besides() []metric {
	return []metric{
		{Metric: Metric{Name: "stale.share", Unit: Share,
			About: "share of the queries that saw old state, of those for a key whose command their client knew of"},
			read: func(c *results.Cell, _ *results.Window) figure {
				s := c.Stale.Accepted
				if s.Reads < c.Stale.Answered.Reads {
					s = c.Stale.Answered
				}
				return share(s.Stale, s.Reads)
			}},
		{Metric: Metric{Name: "heard.missing", Exact: true,
			About: "notices to those who want to hear of commands that never came"},
			read: func(c *results.Cell, _ *results.Window) figure {
				if c.Heard == nil {
					return figure{none: true}
				}
				return figure{value: float64(c.Heard.Missing), n: c.Heard.Commands}
			}},
		{Metric: Metric{Name: "heard.last.pN", Unit: Time,
			About: "time from when a command was due until the last subscriber had heard of it"},
			hist: func(c *results.Cell, _ *results.Window) *results.Hist {
				if c.Heard == nil {
					return nil
				}
				return c.Heard.FromDue.Of("last")
			}},
		arrival("first_byte", "first-byte", "the first byte of its payload"),
		arrival("last_byte", "last-byte", "the last byte of its payload"),
		carried("orphaned", "objects in the store whose message was lost"),
		carried("dangled", "messages whose object was gone"),
		{Metric: Metric{Name: "send_lag.pN", About: "how late operations were started, from when they were due",
			Unit: Time}, hist: func(c *results.Cell, _ *results.Window) *results.Hist { return c.SendLag }},
	}
}

func arrival(name, stage, what string) metric {
	return metric{
		Metric: Metric{Name: name + ".pN", Unit: Time,
			About: "time from when a command was due until the service had " + what},
		hist: func(c *results.Cell, _ *results.Window) *results.Hist { return c.Payloads.Of(stage) },
	}
}

func carried(name, about string) metric {
	return metric{
		Metric: Metric{Name: name, About: about, Exact: true},
		read: func(c *results.Cell, _ *results.Window) figure {
			if c.Payloads == nil {
				return figure{none: true}
			}
			return figure{value: float64(c.Payloads.Events[name].N), n: c.Accounting.Attempted}
		},
	}
}

// percentile reports whether a word is a percentile: p, up to two digits, and up to
// three more behind a dot.
func percentile(word string) bool {
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(word, "p"), ".")
	number := func(s string, most int) bool {
		return len(s) >= 1 && len(s) <= most && leadingDigits(s) == len(s)
	}
	return strings.HasPrefix(word, "p") && number(whole, 2) && (!dotted || number(fraction, 3))
}

// find looks up the metric of a path, which begins at a byte of the statement.
func find(path []string, at int) (metric, error) {
	name, quantile := strings.Join(path, "."), 0.0
	if last := path[len(path)-1]; percentile(last) || last == "max" {
		quantile = 1
		if last != "max" {
			q, err := strconv.ParseFloat(last[1:], 64)
			if err != nil || q <= 0 {
				return metric{}, errorAt(at, "%s is no percentile; want one from p0.1 to p99.999, or max", last)
			}
			quantile = q / 100
		}
		name = strings.Join(append(slices.Clone(path[:len(path)-1]), "pN"), ".")
	}
	var names []string
	for _, m := range metrics() {
		if m.Name == name && (m.hist == nil) == (quantile == 0) {
			m.quantile, m.Name = quantile, strings.Join(path, ".")
			return m, nil
		}
		names = append(names, m.Name)
	}
	return metric{}, unfound(strings.Join(path, "."), at, names)
}

// unfound says what would be right in place of a name that no metric has.
func unfound(name string, at int, names []string) error {
	var same []string
	head, _, _ := strings.Cut(name, ".")
	for _, n := range names {
		if h, _, _ := strings.Cut(n, "."); h == head {
			same = append(same, strings.ReplaceAll(n, "pN", "p99"))
		}
	}
	if len(same) > 0 {
		return errorAt(at, "there is no metric %q; want %s", name, listed(same))
	}
	var plain []string
	for _, n := range names {
		plain = append(plain, strings.ReplaceAll(n, "pN", "p99"))
	}
	if near := nearest(name, plain); near != "" {
		return errorAt(at, "there is no metric %q; %s%s?", name, meant, near)
	}
	return errorAt(at, "there is no metric %q; want such as answered.p99, ok.share, lost or recover "+
		"(docs/expectations.md lists them)", name)
}

// meant is how an error begins to say what was probably meant.
const meant = "did you mean "

// near reports whether an error says what was probably meant.
func near(err error) bool { return err != nil && strings.Contains(err.Error(), meant) }

// begins reports whether a metric's name begins with a word.
func begins(word string) bool {
	return slices.ContainsFunc(metrics(), func(m metric) bool {
		head, _, _ := strings.Cut(m.Name, ".")
		return head == word
	})
}

// nearest returns the name that is got but for a slip or two, and nothing if there is
// none.
func nearest(got string, names []string) string {
	best, least := "", 1+len(got)/4
	for _, name := range names {
		if d := distance(got, name); d <= least {
			best, least = name, d-1
		}
	}
	return best
}

// distance is the number of single-byte edits between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			keep := diagonal
			if a[i] != b[j] {
				keep++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, keep)
		}
	}
	return row[len(b)]
}
