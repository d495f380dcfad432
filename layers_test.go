package flowbench_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A layer is one folder's right to import.
type layer struct {
	may    []string // folders of ours that it may import; its own is always allowed
	beyond bool     // whether it may import modules of others
	why    string   // said when the rule is broken
}

// layers is the direction of the house: scenario, plan, run, results, report.
func layers() map[string]layer {
	return map[string]layer{
		"flows": {nil, false, "flows are the innermost: they own the ports of all they touch, and the same code must " +
			"run on brokers and in virtual time, so nothing but the standard library may come in"},
		"results": {nil, true, "results are read by those who know nothing of flows, brokers or plots, " +
			"and written by every kind of run"},
		"scenarios": {[]string{"flows"}, true, "a plan is data: making one must not need anything that can run it"},
		"sim":       {[]string{"flows", "scenarios", "results"}, true, "running must not depend on how it is shown"},
		"report": {
			[]string{"results"},
			true,
			"a report is drawn from results alone, so that it can be drawn again, anywhere, later",
		},
		"cmd": {[]string{"flows", "scenarios", "sim", "results", "report"}, true, "the program wires everything"},
	}
}

// linksClients are the packages that may link a broker's client or server
// library: its driver, its embedding, and nothing else, or every part of the
// house would grow with every broker.
func linksClients() map[string][]string {
	return map[string][]string{
		"github.com/nats-io/": {
			"sim/broker/natswire",
			"sim/broker/natsbroker",
			"sim/broker/jetstreambroker",
			"sim/embedded",
			"sim/natsstream",
			"sim/store/natsstore",
		},
		"github.com/jlaffaye/":           {"sim/store/ftpstore"},
		"github.com/rabbitmq/":           {"sim/broker/rabbitbroker", "sim/installed"},
		"github.com/graph-gophers/":      {"sim/edge/graphqledge"},
		"github.com/coder/websocket":     {"sim/edge/socket"},
		"github.com/HdrHistogram/":       {"results"},
		"gonum.org/":                     {"report/plot"},
		"go.yaml.in/":                    {"scenarios"},
		"github.com/spf13/pflag":         {"cmd/flowbench"},
		"github.com/vbauerster/mpb":      {"cmd/flowbench"},
		"github.com/minio/":              {"sim/store/s3store"},
		"github.com/rclone/gofakes3":     {"sim/store/s3store"},
		"flowbench/sim/broker/nats":      {"sim/drivers", "sim/broker/natsbroker", "sim/broker/jetstreambroker"},
		"flowbench/sim/broker/jetstream": {"sim/drivers"},
		"flowbench/sim/broker/rabbit":    {"sim/drivers"},
		"flowbench/sim/edge/graphql":     {"sim/drivers"},
		"flowbench/sim/edge/ws":          {"sim/drivers"},
		"flowbench/sim/store/ftps":       {"sim/drivers", "sim/store/ftpstore"},
		"flowbench/sim/store/https":      {"sim/drivers"},
		"flowbench/sim/store/natss":      {"sim/drivers"},
		"flowbench/sim/store/s3":         {"sim/drivers"},
	}
}

// TestLayers reads the sources itself instead of asking the go command, so that
// the test cache sees which files the answer depends on.
func TestLayers(t *testing.T) {
	files := 0
	for path, imports := range importsOf(t) {
		files++
		from, _, _ := strings.Cut(path, "/")
		l, known := layers()[from]
		if !known {
			t.Errorf("%s: the folder %s is in no layer; add it to layers with its reason", path, from)
			continue
		}
		for _, imp := range imports {
			checkImport(t, path, from, l, imp)
		}
	}
	if files < 20 {
		t.Errorf("only %d files were checked; the walk is broken", files)
	}
}

func checkImport(t *testing.T, path, from string, l layer, imp string) {
	t.Helper()
	if rest, ours := strings.CutPrefix(imp, "flowbench/"); ours {
		to, _, _ := strings.Cut(rest, "/")
		if to != from && !slices.Contains(l.may, to) {
			t.Errorf("%s imports %s: %s", path, imp, l.why)
		}
	} else if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && !l.beyond {
		t.Errorf("%s imports %s: %s", path, imp, l.why)
	}
	for prefix, may := range linksClients() {
		if strings.HasPrefix(imp, prefix) && !slices.Contains(may, filepath.ToSlash(filepath.Dir(path))) {
			t.Errorf("%s imports %s, which only %v may", path, imp, may)
		}
	}
}

// importsOf returns the imports of every Go file that is not a test, by its path.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		path = filepath.ToSlash(path)
		if d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		found[path] = []string{}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[path] = append(found[path], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
