package scenarios

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withCommand returns a scenario with a fault that runs a command.
func withCommand(begin string) string {
	return "name: x\nflows: [proxy-sync]\nbrokers: [nats]\nduration: 10s\n" +
		"faults: [{what: exec, on: broker, at: 1s, for: 2s, begin: " + begin + "}]\n"
}

func TestACommandKeepsItsWords(t *testing.T) {
	for _, c := range []struct {
		about, begin string
		want         []string
	}{
		{"words", "[docker, kill, rabbit]", []string{"docker", "kill", "rabbit"}},
		{"numbers and yes are words too", "[kill, -9, 0x10, true]", []string{"kill", "-9", "0x10", "true"}},
		{"nothing is split or put together", `[a, "b c", "$HOME;", ""]`, []string{"a", "b c", "$HOME;", ""}},
		{"as many as there may be", "[" + strings.Repeat("w, ", 31) + strings.Repeat("x", 256) + "]",
			append(strings.Split(strings.Repeat("w ", 30)+"w", " "), strings.Repeat("x", 256))},
	} {
		s, err := Parse("x.yaml", []byte(withCommand(c.begin)))
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		p, err := s.Plan(testCatalog())
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		f := p.Cells[0].Faults[0]
		if d := cmp.Diff(c.want, f.Commands["begin"]); d != "" {
			t.Errorf("%s: the command differs:\n%s", c.about, d)
		}
		if d := cmp.Diff(map[string]string{"limit": "30s"}, f.Params); d != "" {
			t.Errorf("%s: other parameters differ:\n%s", c.about, d)
		}
		var back Fault
		if text, err := json.Marshal(f); err != nil || json.Unmarshal(text, &back) != nil || cmp.Diff(f, back) != "" {
			t.Errorf("%s: it does not survive JSON: %s, %v", c.about, text, err)
		}
	}
}

func TestTheSchemaTakesCommands(t *testing.T) {
	schema := compiled(t, testCatalog())
	v, ok := instance([]byte(withCommand("[docker, kill, 5, true]")))
	if !ok {
		t.Fatal("it is not YAML")
	}
	if err := schema.Validate(v); err != nil {
		t.Error(err)
	}
}
