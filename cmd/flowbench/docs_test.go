package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/fault"
	"flowbench/sim/installed"
)

const docsDir = "../../docs"

// TestDocsAreWhatTheRegistriesSay compares generated docs with the registries.
// With -update it writes them.
func TestDocsAreWhatTheRegistriesSay(t *testing.T) {
	for name, text := range map[string][]byte{
		"flows.md":             flowsDoc(t),
		"brokers.md":           brokersDoc(),
		"stores.md":            storesDoc(),
		"faults.md":            faultsDoc(),
		"expectations.md":      expectationsDoc(t),
		"scenarios.md":         scenariosDoc(),
		"scenario.schema.json": scenarios.Schema(catalog()),
	} {
		path := filepath.Join(docsDir, name)
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, text) {
			t.Errorf("docs/%s is stale (%v); run make docs", name, err)
		}
	}
}

const generated = "\n<!-- Written by make docs from the registries; edit those. -->\n"

func flowsDoc(t *testing.T) []byte {
	t.Helper()
	told := transcripts(t)
	var b bytes.Buffer
	fmt.Fprint(&b, "# Flows\n", generated, "\n| flow | command | query | promise | uses |\n|---|---|---|---|---|\n")
	for _, f := range flows.All() {
		s := f.Spec()
		axis := make(map[string]string)
		for _, a := range s.Axes {
			axis[a.Key] = a.Value
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %v | %s |\n", s.Name, axis["command"], axis["query"], s.Promise,
			parts(s.Uses))
	}
	b.Write(learntDoc(told))
	for i, f := range flows.All() {
		s := f.Spec()
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", s.Name, strings.ToUpper(s.Summary[:1])+s.Summary[1:])
		if s.Needs != 0 {
			fmt.Fprintf(&b, "\nIt needs a broker with: %v.\n", s.Needs)
		}
		switch s.Tells {
		case flows.Everyone:
			fmt.Fprint(&b, "\n`load.subscribers`, at least one, hear of every command.\n")
		case flows.Watchers:
			fmt.Fprint(&b, "\nEach key is watched by `load.subscribers` clients; there may be none.\n")
		}
		b.Write(diagramsDoc(told[i]))
	}
	b.Write(edgesDoc())
	return b.Bytes()
}

// edgesDoc lists what the flows that use an edge may run over.
func edgesDoc() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "\n## Edges\n\nFlows that use an edge run over each that the scenario names.\n"+
		"\n| edge | what it is |\n|---|---|\n")
	for _, e := range drivers.Edges() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, e.Summary)
	}
	return b.Bytes()
}

func parts(p flows.Parts) string {
	var words []string
	for _, part := range []struct {
		part flows.Parts
		word string
	}{{flows.UsesBroker, "broker"}, {flows.UsesEdge, "edge"},
		{flows.UsesSocket, "socket"}} {
		if p.Has(part.part) {
			words = append(words, part.word)
		}
	}
	return strings.Join(words, ", ")
}

// faultsDoc lists what can go wrong.
func faultsDoc() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# Faults\n", generated, `
A scenario lists what goes wrong, where, when and for how long:

`+"```yaml"+`
faults:
  - {what: outage, on: broker, at: 6s, for: 10s}
  - {what: latency, on: "service-broker[0]", at: 20s, for: 5s, delay: 20ms, jitter: 5ms}
`+"```"+`

Times count from the beginning of the measured time. Faults may overlap. Whatever is still
wrong when the load ends is healed then, and so is everything when a run is cut short. A
fault that met nothing, no byte, no connection, no request and no process, leaves its cell
without a verdict; one for which the flow has no part is told as absent.

## What faults befall

| on | what it is |
|---|---|
`)
	for _, s := range fault.Sites() {
		name := string(s.Place)
		if s.Indexed {
			name += "[n]"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, s.Summary)
	}
	fmt.Fprint(&b, "\nWithout its number, a name stands for all of them.\n")
	for _, f := range fault.All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nOn:", f.Name, f.Summary)
		for i, place := range f.On {
			if i > 0 {
				fmt.Fprint(&b, ",")
			}
			fmt.Fprintf(&b, " `%s`", place)
		}
		fmt.Fprint(&b, ".\n")
		if len(f.Params) == 0 && !f.Directed {
			continue
		}
		fmt.Fprint(&b, "\n| parameter | what it is | values |\n|---|---|---|\n")
		for _, p := range f.Params {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, p.Summary, boundsOf(p))
		}
		if f.Directed {
			fmt.Fprintf(&b, "| `%s` | which bytes it is about, seen from who opened the connection | `%s` |\n",
				fault.DirectionParam, strings.Join(fault.Directions(), "`, `"))
		}
	}
	return b.Bytes()
}

func brokersDoc() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# Brokers\n", generated)
	for _, d := range drivers.All() {
		defaults := broker.Params{}
		for _, p := range d.Params {
			defaults[p.Name] = p.Default
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\nOffers: %v.\n", d.Name, strings.ToUpper(d.Summary[:1])+d.Summary[1:],
			d.Traits(defaults))
		switch {
		case d.Source == broker.Embedded:
			fmt.Fprintf(&b, "\nEmbedded, as one node or with `--broker-source %s=embedded:3` as three, or external by "+
				"`--broker-url %s=URL` or `%s`.\n", d.Server, d.Server, urlVariable(d.Server))
		case d.Source == broker.Local:
			fmt.Fprintf(&b, "\nStarted from what is installed here with `--broker-source %s=local:1` or `local:3`, or "+
				"external by `--broker-url %s=URL` or `%s`, or at its usual address on this machine.\n",
				d.Server, d.Server, urlVariable(d.Server))
			fmt.Fprintf(&b, "\nThe nodes of a cluster that is started so, for a run with faults on `broker-node`, "+
				"have `%s` set, which decides what becomes of those that lose each other. In all other runs they have "+
				"RabbitMQ's defaults.\n", strings.Join(installed.PartedSettings(), "` and `"))
		case d.Server != "":
			fmt.Fprintf(&b, "\nExternal, by `--broker-url %s=URL` or `%s`, or at its usual address on this machine.\n",
				d.Server, urlVariable(d.Server))
		default:
			fmt.Fprint(&b, "\nIn this process.\n")
		}
		if len(d.Params) == 0 {
			continue
		}
		fmt.Fprint(&b, "\n| parameter | meaning | values | default |\n|---|---|---|---|\n")
		for _, p := range d.Params {
			values := strings.Join(p.Values, ", ")
			if values == "" {
				values = fmt.Sprintf("%d to %d", p.Min, p.Max)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, p.Summary, values, p.Default)
		}
	}
	return b.Bytes()
}

// storesDoc lists what large payloads can travel over by reference.
func storesDoc() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# Stores\n", generated, `
Payloads that travel [by reference](payloads.md) are put into one of these. Each is there
without anything to set up: flowbench starts it for the cell, on loopback, and nothing of
it stays. Those that may be yours take a URL by `+"`--store-url NAME=URL`"+` or the
environment, and credentials by the environment or by `+"`--store-credentials NAME=FILE`"+`, a
file whose first line is name:secret. Credentials never get into results, addresses or
messages. Stores beyond this machine need `+"`--allow-remote`"+`.

URLs are `+"`http://host:port/folder/`, `s3://host:port/bucket` (with `?tls=true` and "+
		"`region=NAME` if need be), `ftp://host:port/folder` and `nats-object://host:port`"+`. Buckets and folders
must be there; an S3 user must be allowed to put, get, delete, and abort uploads. FTP
carries credentials in clear text.

A receiver gets nothing but objects of its own run from the configured store: any other
address in a message is refused before anybody is asked for it.
`)
	for _, d := range drivers.Stores() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\nBy itself: %s.\n", d.Name, strings.ToUpper(d.Summary[:1])+d.Summary[1:],
			strings.TrimSuffix(d.Embedded, "."))
		if d.External {
			fmt.Fprintf(&b, "\nYours: `--store-url %s=URL` or `%s`, with `%s` and `%s`.\n", d.Name,
				storeVariable(d.Name, "URL"), storeVariable(d.Name, "USER"), storeVariable(d.Name, "SECRET"))
		}
	}
	return b.Bytes()
}

func scenariosDoc() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# Scenarios of the library\n", generated,
		"\nEach is run by its name, changed by flags and `--set path=value`, or copied as a start for one's own.\n"+
			"Editors complete and check scenario files with [scenario.schema.json](scenario.schema.json).\n")
	for _, e := range scenarios.Library() {
		fmt.Fprintf(&b, "\n## %s\n\n```yaml\n%s```\n", e.Name, e.Text)
	}
	return b.Bytes()
}

// TestCommandsInTheDocsWork runs every command that a page shows behind "$ ", once
// and two at a time. Runs are made short and written elsewhere; make targets must
// exist.
func TestCommandsInTheDocsWork(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	ran := make(map[string]bool)
	for _, page := range []string{
		"../../README.md", docsDir + "/results.md", docsDir + "/live.md", docsDir + "/comparing.md",
		docsDir + "/sweeps.md", docsDir + "/ci.md",
	} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\$ (.+)$`).FindAllStringSubmatch(string(text), -1) {
			if ran[m[1]] {
				continue
			}
			ran[m[1]] = true
			t.Run(m[1], func(t *testing.T) {
				t.Parallel()
				runShown(t, m[1], string(makefile))
			})
		}
	}
	if len(ran) < 5 {
		t.Errorf("only %d commands were found", len(ran))
	}
}

// shellWords splits a command line as a shell does, as far as the docs need it: at
// spaces that are not between single quotes.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 0 {
			words = append(words, strings.Fields(part)...)
		} else {
			words = append(words, part)
		}
	}
	return words
}

// runShown runs one command of the docs.
func runShown(t *testing.T, command, makefile string) {
	if target, ok := strings.CutPrefix(command, "make "); ok {
		if !strings.Contains(makefile, "\n"+target+": ## ") {
			t.Errorf("the Makefile has no target %s", target)
		}
		return
	}
	args, ok := strings.CutPrefix(command, "go run ./cmd/flowbench ")
	if !ok {
		t.Fatalf("do not know how to run %q", command)
	}
	words := shellWords(args)
	if strings.Contains(args, "rabbitmq") || strings.Contains(args, "4222") {
		for _, address := range []string{"127.0.0.1:5672", "127.0.0.1:4222"} {
			if there, err := brokerThere(address); err != nil {
				t.Fatal(err)
			} else if !there {
				t.Skipf("no broker at %s", address)
			}
		}
	}
	switch {
	case words[0] == "run" && strings.Contains(args, "outage"): // faults are shortened with it
		words = append(words, "--quick", "--no-progress", "--out", filepath.Join(t.TempDir(), "run"))
	case words[0] == "run" && strings.Contains(args, "saturation"): // as few and as short trials as there are
		words = append(words, "--warmup", "50ms", "--duration", "200ms", "--set", "load.sweep.confirm=200ms", "--set",
			"load.sweep.curve=[0.5]", "--set", "load.sweep.max_per_s=200", "--no-progress", "--out",
			filepath.Join(t.TempDir(), "run"))
	case words[0] == "run" && strings.Contains(args, "large-payloads"): // fewer sizes and stores
		words = append(words, "--warmup", "50ms", "--duration", "200ms", "--set", "payloads.bytes=[4KiB, 1MiB]",
			"--set", "payloads.stores=[file, s3]", "--no-progress", "--out", filepath.Join(t.TempDir(), "run"))
	case words[0] == "run":
		words = append(words, "--warmup", "50ms", "--duration", "200ms", "--no-progress",
			"--out", filepath.Join(t.TempDir(), "run"))
	}
	if words[0] == "serve" { // what it serves is not there in a clean checkout, and it has no end
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		code, stderr := callProgramUntil(ctx, "serve", t.TempDir())
		if code != int(exitOK) {
			t.Errorf("exit code is %d:\n%s", code, stderr)
		}
		return
	}
	if words[0] == "simulate" { // short as it is, but for what it writes
		words = append(words, "--no-progress", "--out", filepath.Join(t.TempDir(), "run"))
	}
	for i, w := range words {
		if strings.HasPrefix(w, "results/") {
			words[i] = "../../" + w
		}
	}
	code, stderr := callProgram(t, words...)
	if code != int(exitOK) && code != int(exitNoVerdict) { // the machine may be too busy for a verdict
		t.Errorf("exit code is %d:\n%s", code, stderr)
	}
}
