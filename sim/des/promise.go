package des

import (
	"context"

	"flowbench/flows"
)

type promise struct {
	kernel  *Kernel
	kept    bool
	m       flows.Message
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
	p.kept, p.m, p.err = true, m, err
	p.waiting.wakeAll(p.kernel)
}

func (p *promise) Wait(ctx context.Context) (flows.Message, error) {
	if !p.kept {
		if err := p.kernel.wait(ctx, &p.waiting, "a promise"); err != nil {
			return flows.Message{}, err
		}
	}
	return p.m, p.err
}
