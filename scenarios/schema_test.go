package scenarios

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

func compiled(t *testing.T, cat Catalog) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(cat)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads YAML as an editor would. ok is false if it is no YAML at all.
func instance(data []byte) (v any, ok bool) {
	var doc any
	if err := yaml.Load(data, &doc); err != nil {
		return nil, false
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, false
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	return v, err == nil
}

func TestTheSchemaAcceptsTheLibrary(t *testing.T) {
	schema := compiled(t, libraryCatalog())
	for _, e := range Library() {
		v, ok := instance(e.Text)
		if !ok {
			t.Fatalf("%s is not YAML", e.Name)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("the schema refuses %s: %v", e.Name, err)
		}
	}
}

// beyondSchema lists, by the beginnings of their names, the broken scenarios
// that a schema cannot refuse: what is lost when YAML becomes JSON, and what
// several settings amount to together.
func beyondSchema() []string {
	return []string{
		"anchor", "tag", "own-tag", "merge-key", // gone once YAML is read
		"hex-for-whole", "octal-for-whole", // numbers like others
		"more-clients", "too-many-operations", "no-operation", "too-much-memory", "timeout-beyond", "slow-is-faster",
		"stall-never-ends", "polling-max", "duration-too-long",
		"plan-no-broker", "plan-broker-twice", "plan-broker-lacks",
		"payloads-", "payload-too-large", "plan-inline-too-large", "plan-stream-told", "plan-nothing-fits",
		"bulk-none", "bulk-not-large", "bulk-timeout", "plan-bulk-",
		"shape-of-nothing", "shape-too-large", "shape-with-rate", "sine-below", "spike-too-late", "replay-of-nothing",
		"sweep-begins", "sweep-patient", "sweep-too-large", "sweep-with-bulk", "sweep-with-history", "sweep-with-shape",
		"fault-parameter-out-of-bounds", "fault-too-late", "fault-instance", "fault-of-no-time",
	}
}

func TestTheSchemaRefusesWhatASchemaCan(t *testing.T) {
	schema := compiled(t, testCatalog())
	for _, file := range brokenFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := instance(data)
		if !ok {
			continue
		}
		beyond := false
		for _, prefix := range beyondSchema() {
			beyond = beyond || strings.HasPrefix(name, prefix)
		}
		if err := schema.Validate(v); (err == nil) != beyond {
			t.Errorf("the schema says %v to %s; want it refused: %v", err, name, !beyond)
		}
	}
}

func TestTheSchemaDescribesEverySetting(t *testing.T) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		properties, _ := m["properties"].(map[string]any)
		if m["type"] == "object" && m["additionalProperties"] != false {
			t.Errorf("%s takes unknown keys; want none", path)
		}
		for key, p := range properties {
			one, ok := p.(map[string]any)
			if about, _ := one["description"].(string); !ok || about == "" {
				t.Errorf("%s.%s has no description", path, key)
			}
			walk(path+"."+key, p)
		}
	}
	var root any
	if err := json.Unmarshal(Schema(testCatalog()), &root); err != nil {
		t.Fatal(err)
	}
	walk("scenario", root)
}
