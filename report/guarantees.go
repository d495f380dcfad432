package report

import (
	"maps"
	"slices"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// guarantees shows side by side what the brokers and the flows promise, because
// latencies compare only where the promises are equal.
func guarantees(v view) section {
	s := section{
		ID: "guarantees", Title: "What was promised",
		Lead: "Two latencies compare only at the same promise: a broker that answers before it has stored a " +
			"message is " +
			"faster and loses more. Read down a column to see where the cells differ.",
	}
	if t := v.brokerTable(); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	s.Tables = append(s.Tables, v.flowTable())
	return s
}

// brokerTable has a row for each set of guarantees that cells ran with.
func (v view) brokerTable() table {
	keys := guaranteeKeys(v.run)
	t := table{Caption: "Guarantees of the brokers, as configured", Corner: "broker", Wide: true}
	for _, k := range keys {
		t.Heads = append(t.Heads, head{Text: strings.ReplaceAll(words.Clean(k), "_", " ")})
	}
	t.Heads = append(t.Heads, head{Text: "flows"})
	index := make(map[string]int)
	for _, c := range v.run.Cells {
		if c.Broker == "" {
			continue
		}
		entries := make([]entry, 0, len(keys)+1)
		id := c.Broker
		for _, k := range keys {
			e := entry{Text: words.Clean(c.Guarantees[k])}
			if e.Text == "" {
				e = entry{Text: words.Absent, Class: "faint"}
			}
			entries = append(entries, e)
			id += "\x00" + e.Text
		}
		i, seen := index[id]
		if !seen {
			i = len(t.Rows)
			index[id] = i
			t.Rows = append(t.Rows, row{Label: words.Clean(c.Broker), Cells: append(entries, entry{})})
		}
		flows := &t.Rows[i].Cells[len(keys)]
		if name := words.Clean(c.Flow); !slices.Contains(strings.Split(flows.Text, ", "), name) {
			flows.Text = strings.TrimPrefix(flows.Text+", "+name, ", ")
		}
	}
	return t
}

// guaranteeKeys returns the guarantees that any cell names: those that matter
// most first, then the others by name.
func guaranteeKeys(run *results.Run) []string {
	all := make(map[string]bool)
	for _, c := range run.Cells {
		for k := range c.Guarantees {
			all[k] = true
		}
	}
	var keys []string
	for _, k := range []string{
		"ack_level", "persistence", "fsync", "replicas", "prefetch", "redelivery", "dedup", "priority",
	} {
		if all[k] {
			keys = append(keys, k)
			delete(all, k)
		}
	}
	return append(keys, slices.Sorted(maps.Keys(all))...)
}

// flowTable has a row for each flow.
func (v view) flowTable() table {
	t := table{
		Caption: "Promises of the flows; a flow promises no more than its broker does", Corner: "flow",
		Heads: heads("in one phrase", "an accepted command is applied", "the client learns"), Wide: true,
	}
	seen := make(map[string]bool)
	for _, c := range v.run.Cells {
		if seen[c.Flow] {
			continue
		}
		seen[c.Flow] = true
		end := entry{Text: words.Absent, Class: "faint"}
		for _, stage := range []results.Stage{results.AcceptedStage, results.AnsweredStage} {
			if c.LatencyOf(results.Command, stage) != nil {
				end = entry{Text: stage.String()} // the last of these is what the client learns
			}
		}
		t.Rows = append(t.Rows, row{Label: words.Clean(c.Flow),
			Cells: []entry{{Text: words.Clean(c.Summary)}, {Text: v.promise(c.Flow)}, end}})
	}
	return t
}

// promise returns what a flow promises, broker by broker where that differs.
func (v view) promise(flow string) string {
	var promises []string
	brokers := make(map[string][]string)
	for _, c := range v.run.Cells {
		if c.Flow != flow {
			continue
		}
		if brokers[c.Promise] == nil {
			promises = append(promises, c.Promise)
		}
		if b := words.Clean(c.Broker); !slices.Contains(brokers[c.Promise], b) {
			brokers[c.Promise] = append(brokers[c.Promise], b)
		}
	}
	if len(promises) == 1 {
		return words.Clean(promises[0])
	}
	var parts []string
	for _, p := range promises {
		parts = append(parts, words.Clean(p)+" on "+words.List(brokers[p]))
	}
	return strings.Join(parts, ", ")
}
