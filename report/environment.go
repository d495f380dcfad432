package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"flowbench/report/words"
	"flowbench/results"
)

// environment is what it takes to judge the run and to run it again.
func environment(v view) section {
	setup := v.setup()
	if v.crowded() {
		setup = v.setups()
	}
	return section{
		ID: "environment", Title: "Where it ran, and how to run it again",
		Lead: "Another machine gives other figures: compare only runs whose rows below are the same. The same seed " +
			"gives the same operations at the same times.",
		Tables: []table{v.machine(), setup},
		Code:   commandLine(v.run.Command),
	}
}

// machine is the table of the host, the versions and the seed.
func (v view) machine() table {
	h := v.run.Host
	t := table{Caption: "Machine, versions and seed", Corner: "what", Heads: heads("value"), Wide: true}
	add := func(name, value string) {
		if value = words.Clean(value); value != "" {
			t.Rows = append(t.Rows, row{Label: words.Clean(name), Cells: []entry{{Text: value}}})
		}
	}
	add("run", v.run.ID)
	add("seed", strconv.FormatUint(v.run.Seed, 10))
	if v.run.Simulated {
		add("time", "virtual")
		for _, name := range slices.Sorted(maps.Keys(v.run.Versions)) {
			add(name, v.run.Versions[name])
		}
		return t
	}
	add("system", strings.Join([]string{h.OS, h.Arch, h.Kernel}, " "))
	processors := words.Plural(int64(h.CPUs), "CPU")
	if h.CPU != "" {
		processors += ", " + h.CPU
	}
	add("processors", processors)
	if h.MemoryMB > 0 {
		add("memory", words.Count(h.MemoryMB)+" MB")
	}
	for _, name := range slices.Sorted(maps.Keys(v.run.Versions)) {
		add(name, v.run.Versions[name])
	}
	return t
}

// setup is the table of loads and settings.
func (v view) setup() table {
	t := table{
		Caption: "Load and settings of each cell", Corner: "cell", Heads: heads("load", "settings"), Wide: true,
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		return []entry{{Text: words.Load(c.Load)}, orAbsent(settingsOf(c.Settings))}
	})
	return t
}

// settingsOf lists settings by name.
func settingsOf(all map[string]string) string {
	var settings []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		settings = append(settings, words.Clean(k)+": "+words.Clean(all[k]))
	}
	return strings.Join(settings, "; ")
}

func orAbsent(s string) entry {
	if s == "" {
		return entry{Text: words.Absent, Class: "faint"}
	}
	return entry{Text: s}
}

// commandLine returns args as a shell takes them.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = words.Clean(a)
		if quoted[i] == "" || strings.ContainsFunc(quoted[i], special) {
			quoted[i] = "'" + strings.ReplaceAll(quoted[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// special reports whether a shell may take r for something else.
func special(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./=:,@%+", r)
}
