package main

import (
	"flowbench/scenarios"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/sim"
)

func TestAMissingRabbitMQIsAFailureOfTheEnvironmentThatSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, stderr := callProgram(t, "run", "--brokers", "rabbitmq", "--broker-source", "rabbitmq=local:1",
		"--out", filepath.Join(t.TempDir(), "run"))
	if code != int(exitEnvironment) || !strings.Contains(stderr, "apt-get install rabbitmq-server") ||
		!strings.Contains(stderr, "--broker-url rabbitmq=URL") {
		t.Errorf("exit code %d, %s; want %d and what to do", code, stderr, exitEnvironment)
	}
}

// TestWhereBrokersAreIsDecidedInOrder checks which of the flags, the environment
// and the defaults says where a broker is.
func TestWhereBrokersAreIsDecidedInOrder(t *testing.T) {
	const url = "amqp://127.0.0.1:1/"
	for _, c := range []struct {
		name     string
		flags    runFlags
		env      string
		external bool // RabbitMQ is at the address
		starts   bool // and if not, it is started
	}{
		{name: "the default"},
		{name: "the environment", env: url, external: true},
		{name: "a URL", flags: runFlags{brokerURLs: []string{"rabbitmq=" + url}}, external: true},
		{name: "a source", flags: runFlags{brokerSources: []string{"rabbitmq=local:3"}}, starts: true},
		{name: "a source, before the environment", flags: runFlags{brokerSources: []string{"rabbitmq=local:3"}},
			env: url, starts: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := c.flags.sources(shell{stderr: io.Discard, getenv: func(name string) string {
				if name == "FLOWBENCH_RABBITMQ_URL" {
					return c.env
				}
				return ""
			}}, &scenarios.Plan{})
			if err != nil {
				t.Fatalf("sources: %v", err)
			}
			if got := len(s.Addresses["rabbitmq"]) > 0; got != c.external {
				t.Errorf("RabbitMQ is at a given address: %v; want %v", got, c.external)
			}
			if got := s.Starters["rabbitmq"] != nil; got != c.starts {
				t.Errorf("RabbitMQ is started: %v; want %v", got, c.starts)
			}
			if s.Starters["nats"] == nil || s.Default["rabbitmq"] != defaultRabbitMQ {
				t.Errorf("sources are %+v; want an embedded NATS and the default of RabbitMQ in any case", s)
			}
		})
	}
	var _ sim.Cluster = natsCluster{}
	var _ sim.Cluster = rabbitCluster{}
}
