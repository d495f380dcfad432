package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// WriteBenchmarks writes run in the format of Go's benchmarks, so that benchstat
// compares it with another run: a line for each valid cell, with the rate and the
// price, and one for each kind and stage of it, with those quantiles that are
// findings. Repeats of a cell have lines of the same names, as benchstat wants them.
// A cell that is not valid is named in a line that readers skip, since a
// comparison with its numbers says nothing.
//
// Benchstat compares only what has the same configuration and the same name. So
// the configuration has nothing that differs between runs of a scenario on one
// machine, such as the run or its time, and names are made of what was asked for.
func WriteBenchmarks(w io.Writer, run *results.Run) error {
	run = run.Merged()
	out := bufio.NewWriter(w)
	config := func(key, value string) {
		if value = words.Clean(value); value != "" {
			fmt.Fprintf(out, "%s: %s\n", key, value)
		}
	}
	config("goos", run.Host.OS)
	config("goarch", run.Host.Arch)
	config("cpu", run.Host.CPU)
	config("scenario", run.Scenario)
	if run.Simulated {
		config("time", "virtual")
	}
	for _, u := range []struct{ unit, better string }{
		{"p50-ns", "lower"}, {"p90-ns", "lower"}, {"p99-ns", "lower"}, {"p99.9-ns", "lower"}, {"ok/s", "higher"},
		{"msgs/op", "lower"}, {"http-requests/op", "lower"}, {"cpu-ns/op", "lower"},
	} {
		fmt.Fprintf(out, "Unit %s better=%s\n", u.unit, u.better)
	}
	names := benchmarkNames(run)
	for i, c := range run.Cells {
		all := c.Observations
		if len(all) == 0 {
			all = []*results.Cell{c}
		}
		for _, o := range all {
			if !o.Valid {
				fmt.Fprintf(out, "# not valid, so left out: %s\n", names[i])
				continue
			}
			benchmarkCell(out, run, o, names[i])
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	return nil
}

// benchmarkCell writes the lines of one cell.
func benchmarkCell(out *bufio.Writer, run *results.Run, c *results.Cell, name string) {
	cpus := ""
	if run.Host.CPUs > 0 {
		cpus = "-" + strconv.Itoa(run.Host.CPUs)
	}
	line := func(name string, n int64, values []string) {
		if n > 0 && len(values) > 0 {
			fmt.Fprintf(out, "%s%s\t%d\t%s\n", name, cpus, n, strings.Join(values, "\t"))
		}
	}
	figure := func(v float64, unit string) string { return strconv.FormatFloat(v, 'f', -1, 64) + " " + unit }
	whole := []string{figure(c.AchievedPerS(), "ok/s")}
	for _, cost := range []struct {
		of    *float64
		scale float64
		unit  string
	}{
		{c.Cost.BrokerMsgs, 1, "msgs/op"},
		{c.Cost.HTTPRequests, 1, "http-requests/op"},
		{c.Cost.CPUus, 1e3, "cpu-ns/op"},
	} {
		if cost.of != nil {
			whole = append(whole, figure(*cost.of*cost.scale, cost.unit))
		}
	}
	line(name, c.Counts.OK, whole)
	for _, k := range results.Kinds() {
		for _, s := range results.Stages() {
			h := c.LatencyOf(k, s)
			if h == nil {
				continue
			}
			var values []string
			for _, p := range []float64{0.5, 0.9, 0.99, 0.999} {
				if h.Resolved(p) {
					values = append(values, figure(float64(h.Quantile(p).Nanoseconds()), words.Percentile(p)+"-ns"))
				}
			}
			line(name+"/kind="+k.String()+"/stage="+s.String(), h.N(), values)
		}
	}
}

// benchmarkNames returns the name of the benchmark that each cell is, without its
// kind and stage. What cells may differ in besides flow, broker, edge and the way
// of payloads is named only in runs in which it differs, and the id of the cell
// only where nothing else tells it from another.
func benchmarkNames(run *results.Run) []string {
	names := make([]string, len(run.Cells))
	add := func(i int, key, value string) {
		if value != "" {
			names[i] += "/" + key + "=" + benchmarkPart(value)
		}
	}
	for i, c := range run.Cells {
		names[i] = "BenchmarkFlow"
		add(i, "flow", c.Flow)
		add(i, "broker", c.Broker)
		add(i, "edge", c.Edge)
		if c.Payload != "inline" {
			add(i, "payload", c.Payload)
		}
		add(i, "store", c.Store)
	}
	for _, more := range []struct {
		key string
		of  func(*results.Cell) string
	}{
		{"bytes", func(c *results.Cell) string { return strconv.Itoa(c.Load.PayloadBytes) }},
		{"load", loadName},
	} {
		differ := false
		for _, c := range run.Cells {
			differ = differ || more.of(c) != more.of(run.Cells[0])
		}
		for i, c := range run.Cells {
			if differ {
				add(i, more.key, more.of(c))
			}
		}
	}
	times := make(map[string]int)
	for _, name := range names {
		times[name]++
	}
	for i, c := range run.Cells {
		if times[names[i]] > 1 {
			add(i, "cell", c.ID)
		}
	}
	return names
}

// loadName names how much load there is in one word: "500-per-s" or "40-users".
func loadName(c *results.Cell) string {
	if c.Load.Open() {
		return strconv.FormatFloat(c.Load.RatePerS, 'f', -1, 64) + "-per-s"
	}
	return strconv.Itoa(c.Load.Users) + "-users"
}

// benchmarkPart returns s as the value of one part of a benchmark's name, with
// every byte that would end it written as in a URL.
func benchmarkPart(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune(`%/="\*`, rune(c)) {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
