package scenarios

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Override sets one setting from the command line, as if the scenario's file
// said so: the same checks apply, and later overrides win over earlier ones.
type Override struct {
	Path  string // keys joined by dots, such as load.rate_per_s
	Value string // as YAML; lists may be written a,b,c; an empty value takes the setting out
	Flag  string // where errors are placed; empty means --set and the path
}

// ParseSet reads an override in the form of the flag --set: path=value.
func ParseSet(arg string) (Override, error) {
	path, value, ok := strings.Cut(arg, "=")
	if path = strings.TrimSpace(path); !ok || path == "" {
		return Override{}, &Error{File: "--set " + arg, Msg: "this is not path=value; want such as load.rate_per_s=500"}
	}
	return Override{Path: path, Value: strings.TrimSpace(value)}, nil
}

// SetFlows is the override of the flag --flows.
func SetFlows(names ...string) Override {
	return Override{"flows", strings.Join(names, ","), "--flows"}
}

// SetBrokers is the override of the flag --brokers. It chooses: a broker that the
// scenario has as well keeps the parameters that the scenario gives it.
func SetBrokers(names ...string) Override {
	return Override{"brokers", strings.Join(names, ","), brokersFlag}
}

const brokersFlag = "--brokers"

// keepBrokers returns the chosen brokers, in the order of choice, each as the
// scenario has it if it does.
func keepBrokers(had, chosen *node) *node {
	kept := &node{kind: list, at: chosen.at}
	for _, name := range chosen.split().items {
		found := false
		for _, b := range had.items {
			if i := b.find("name"); i >= 0 && b.entries[i].value.text == name.text {
				kept.items, found = append(kept.items, b), true
			}
		}
		if !found {
			kept.items = append(kept.items, name)
		}
	}
	return kept
}

// SetEdges is the override of the flag --edges.
func SetEdges(names ...string) Override {
	return Override{"edges", strings.Join(names, ","), "--edges"}
}

// SetRate is the override of the flag --rate.
func SetRate(perS float64) Override {
	return Override{"load.rate_per_s", strconv.FormatFloat(perS, 'g', -1, 64), "--rate"}
}

// SetDuration is the override of the flag --duration.
func SetDuration(d time.Duration) Override {
	return Override{"duration", Duration(d).String(), "--duration"}
}

// SetWarmup is the override of the flag --warmup.
func SetWarmup(d time.Duration) Override { return Override{"warmup", Duration(d).String(), "--warmup"} }

// SetSeed is the override of the flag --seed.
func SetSeed(seed uint64) Override {
	return Override{"seed", strconv.FormatUint(seed, 10), "--seed"}
}

// Quick returns the overrides of the flag --quick: cells so short that a whole
// scenario can be tried out, and too short for numbers to decide from. The drain
// stays as it is: it ends as soon as nothing is left, and must outlast the timeout.
// Faults, the times of a shape and the confirmation of a sweep are shortened with the
// measured time.
func Quick() []Override {
	return []Override{
		{"warmup", "500ms", quickFlag},
		{"duration", quickDuration.String(), quickFlag},
	}
}

const quickDuration = 2 * second

// quickFlag is the flag that shortens everything.
const quickFlag = "--quick"

// shrink keeps all that has a time in the measured time of a scenario where it is
// when --quick shortens that.
func shrink(root *node, to Duration) {
	from := defaults().Load.Duration
	if i := root.find("duration"); i >= 0 {
		if d, ok := parseDuration(root.entries[i].value.text); ok && d > 0 {
			from = d
		}
	}
	factor := float64(to) / float64(from)
	if i := root.find("faults"); i >= 0 {
		for _, f := range root.entries[i].value.items {
			f.shorten(factor, "at", "for")
		}
	}
	i := root.find("load")
	if i < 0 {
		return
	}
	load := root.entries[i].value
	for key, times := range map[string][]string{"shape": {"at", "for", "period"}, "sweep": {"confirm"}} {
		if i := load.find(key); i >= 0 {
			load.entries[i].value.shorten(factor, times...)
		}
	}
}

// shorten multiplies those entries of a section that are durations by a factor. What
// is wrong is told when it is read.
func (n *node) shorten(factor float64, keys ...string) {
	for j, e := range n.entries {
		d, ok := parseDuration(e.value.text)
		if !slices.Contains(keys, e.key) || !ok || d == 0 {
			continue
		}
		short := *e.value
		short.text = max(millisecond, Duration(float64(d)*factor)/millisecond*millisecond).String()
		n.entries[j].value = &short
	}
}

// edit applies the override to a scenario's tree.
func (o Override) edit(root *node, p *problems) {
	if o.Flag == quickFlag && o.Path == "duration" {
		shrink(root, quickDuration)
	}
	if o.Flag == expectFlag {
		addExpectation(root, o.Value)
		return
	}
	at := place{file: o.Flag}
	if o.Flag == "" {
		at.file = "--set " + o.Path
	}
	keys := strings.Split(o.Path, ".")
	section := root
	for i, key := range keys[:len(keys)-1] {
		at := at
		j := section.find(key)
		if j < 0 && o.Value == "" {
			return
		}
		if j < 0 {
			section.entries = append(section.entries, entry{key, at, &node{kind: mapping, at: at}})
			j = len(section.entries) - 1
		}
		if section = section.entries[j].value; section.kind != mapping {
			p.add(at, "%s is %s; want a path through sections", strings.Join(keys[:i+1], "."), section.describe())
			return
		}
	}
	last := keys[len(keys)-1]
	j := section.find(last)
	if o.Value == "" {
		if j >= 0 {
			section.entries = append(section.entries[:j:j], section.entries[j+1:]...)
		}
		return
	}
	value, err := parseNodes(at.file, []byte(o.Value))
	if err != nil {
		p.add(at, "%s is not YAML; want a value such as 5 or [a, b]", quote(o.Value))
		return
	}
	value.place(at)
	if o.Flag == brokersFlag && j >= 0 {
		value = keepBrokers(section.entries[j].value, value)
	}
	e := entry{last, at, value}
	if j < 0 {
		section.entries = append(section.entries, e)
	} else {
		section.entries[j] = e
	}
}

// split makes a list of a scalar that a flag set: a,b,c.
func (n *node) split() *node {
	if n.kind != scalar || n.at.line != 0 {
		return n
	}
	items := &node{kind: list, at: n.at}
	for word := range strings.SplitSeq(n.text, ",") {
		items.items = append(items.items, &node{kind: scalar, at: n.at, text: strings.TrimSpace(word)})
	}
	return items
}
