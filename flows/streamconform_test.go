package flows_test

import (
	"context"
	"testing"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

// TestABrokerWithStreamsIsStillABroker holds what stands before the broker to what
// brokers are held to, with bodies that are small enough to travel inline.
func TestABrokerWithStreamsIsStillABroker(t *testing.T) {
	k := des.New()
	d := modelbroker.Driver(k, 1)
	open := d.Open
	d.Open = func(ctx context.Context, cfg broker.Config) (broker.Session, error) {
		s, err := open(ctx, cfg)
		return streamingSession{s, k}, err
	}
	brokertest.Test(t, brokertest.Bench{
		Driver: d, Params: broker.Params{}, Runtime: k,
		Network: func(s broker.Session) brokertest.Network {
			return modelbroker.NetworkOf(s.(streamingSession).Session)
		},
		Run: func(t *testing.T, body func(context.Context)) {
			if err := k.Run(t.Context(), body); err != nil {
				t.Error(err)
			}
		},
	})
}

type streamingSession struct {
	broker.Session
	kernel *des.Kernel
}

// Connect implements [flows.Broker].
func (s streamingSession) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c := carriage()
	c.Over = 1 << 30
	return flows.StreamBroker(s.kernel, s.Session, c).Connect(ctx, name)
}
