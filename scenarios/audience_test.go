package scenarios

import (
	"fmt"
	"testing"

	"flowbench/flows"
)

// TestFlowsThatTellOthersNeedThem plans flows that tell others than the client
// with so many subscribers. An empty error means that the plan is right.
func TestFlowsThatTellOthersNeedThem(t *testing.T) {
	cat := testCatalog()
	cat.Flows = append(cat.Flows,
		flows.Spec{Name: "tells-all", Uses: flows.UsesBroker, Tells: flows.Everyone},
		flows.Spec{Name: "tells-clients", Uses: flows.UsesBroker, Tells: flows.Watchers})
	for _, tt := range []struct {
		flow, load, want string
	}{
		{"tells-all", "subscribers: 1", ""},
		{"tells-all", "subscribers: 100, clients: 2, keys: 1000000", ""},
		{"tells-all", "subscribers: 0",
			"t.yaml:4:8: flow tells-all tells subscribers of every command and load.subscribers is 0; want at least 1"},
		{"tells-all", "clients: 2",
			"t.yaml:4:1: flow tells-all tells subscribers of every command and load.subscribers is 0; want at least 1"},
		{"tells-clients", "subscribers: 0", ""},
		{"tells-clients", "subscribers: 3, clients: 3", ""},
		{"tells-clients", "subscribers: 4, clients: 3",
			"t.yaml:4:8: flow tells-clients tells clients that watch, and load.subscribers 4 are more than " +
				"load.clients 3; want at most as many"},
		{"tells-clients", "subscribers: 4, keys: 4096", ""},
		{"tells-clients", "subscribers: 4, keys: 4097",
			"t.yaml:4:8: flow tells-clients has each of load.keys 4097 watched by load.subscribers 4; " +
				"want at most 16384 live queries together"},
		{"tells-clients", "subscribers: 1, keys: 8192, clients: 1", ""},
		{"tells-clients", "subscribers: 1, keys: 8193, clients: 1",
			"t.yaml:4:8: flow tells-clients shares 8193 live queries among load.clients 1; " +
				"want at most 8192 for each of them"},
		{"direct", "subscribers: 1000, clients: 1", ""},
	} {
		text := fmt.Sprintf("name: t\nflows: [%s]\nbrokers: [nats]\nload: {%s}\n", tt.flow, tt.load)
		s, err := Parse("t.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err = s.Plan(cat); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s with %s:\ngot  %q\nwant %q", tt.flow, tt.load, got, tt.want)
		}
	}
}
