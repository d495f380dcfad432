package des

import (
	"context"

	"flowbench/flows"
)

type promise struct {
	kernel  *Kernel
	kept    bool
	m       *flows.Message // nil for an empty one: most promises are kept with none
	err     error
	waiting line
}

// Promise implements [flows.Runtime]. What was kept counts for more than a
// context that has ended.
func (k *Kernel) Promise() flows.Promise { return &promise{kernel: k} }

func (p *promise) Keep(m flows.Message, err error) {
	if p.kept {
		return
	}
	p.kept, p.err = true, err
	if !empty(&m) {
		own := m
		p.m = &own
	}
	p.waiting.wakeAll(p.kernel)
}

func (p *promise) Wait(ctx context.Context) (flows.Message, error) {
	if !p.kept {
		if err := p.kernel.wait(ctx, &p.waiting, "a promise"); err != nil {
			return flows.Message{}, err
		}
	}
	if p.m == nil {
		return flows.Message{}, p.err
	}
	return *p.m, p.err
}

// empty reports whether there is nothing in m. A test holds it to all fields.
func empty(m *flows.Message) bool {
	return m.Subject == "" && m.ReplyTo == "" && m.ID == 0 && m.Correlation == 0 && m.Op == 0 && m.Kind == 0 &&
		m.Key == "" && m.Status == 0 && !m.Urgent && m.Body == nil && m.Stream == nil && m.Err == nil &&
		m.Trace == "" && !m.Redelivered && m.Token == 0 && m.Acker == nil
}
