package sim

import (
	"time"

	"flowbench/results"
	"flowbench/sim/host"
)

// A useSample is the counters of what a cell uses at one moment.
type useSample struct {
	at      time.Duration // on the runtime's clock
	workers int           // of all instances; 0 for a sample that was not taken
	worked  time.Duration
	broker  time.Duration            // CPU time of its processes; negative where it is not known
	servers map[string]time.Duration // how long each server of a broker's model has worked
}

// A modelSession is a session of a broker's model, which tells how long each of its
// servers has worked.
type modelSession interface {
	Worked() map[string]time.Duration
}

// useNow reads the counters.
func (w *world) useNow() useSample {
	s := useSample{
		at: w.runtime.Now(), workers: w.cell.Service.Instances * w.cell.Service.Workers, worked: w.service.Worked(),
		broker: w.brokerCPU(),
	}
	if m, ok := w.session.(modelSession); ok {
		s.servers = m.Worked()
	}
	return s
}

// brokerCPU returns the CPU time of the processes of the cell's broker that were
// started here, or a negative number.
func (w *world) brokerCPU() time.Duration {
	d, err := w.driverOf(w.cell.Broker)
	if err != nil || d == nil || w.simulated {
		return -1
	}
	cluster, ok := w.engine.Sources.Cluster(d, w.cell.BrokerParams)
	if !ok {
		return -1
	}
	var sum time.Duration
	for _, node := range cluster.Nodes() {
		n, ok := node.(interface{ PID() int })
		if !ok {
			return -1
		}
		cpu := host.CPUOf(n.PID())
		if cpu < 0 {
			return -1
		}
		sum += cpu
	}
	return sum
}

// since returns what was in use between an earlier sample and s, or nil if either
// was not taken.
func (s useSample) since(earlier useSample) *results.Use {
	span := (s.at - earlier.at).Seconds()
	if s.workers == 0 || earlier.workers == 0 || span <= 0 {
		return nil
	}
	u := &results.Use{Workers: (s.worked - earlier.worked).Seconds() / span / float64(s.workers)}
	if cpu := s.broker - earlier.broker; s.broker >= 0 && earlier.broker >= 0 && cpu >= 0 { // less: it was restarted
		cores := cpu.Seconds() / span
		u.BrokerCores = &cores
	}
	if len(s.servers) > 0 {
		most := 0.0
		for name, worked := range s.servers {
			most = max(most, (worked-earlier.servers[name]).Seconds()/span)
		}
		u.BrokerServer = &most
	}
	return u
}
