package results

// Use is how much of what a cell had was in use while it was measured.
type Use struct {
	// Workers is the share of the time of all workers of the service in which they
	// had a request.
	Workers float64 `json:"workers"`

	// BrokerCores is the CPU time per second of the broker's processes; nil where they
	// were not started here, and where the system does not tell.
	BrokerCores *float64 `json:"broker_cores,omitempty"`

	// BrokerServer is the share of the time in which the busiest queue of a broker's
	// model had a message to work on; nil outside of simulations.
	BrokerServer *float64 `json:"broker_server,omitempty"`
}
