package sim

import (
	"context"
	"time"

	"flowbench/flows"
)

const (
	lookEvery = 5 * time.Millisecond
	quietTime = time.Second // without work, after which a broker that cannot tell has nothing left
)

// settle waits until no operation is under way. Each of them ends by itself:
// by its timeout, or with ctx.
func (d *driver) settle(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for d.inFlight.Load() > 0 {
		_ = d.runtime.Sleep(ctx, lookEvery) // nothing cancels it
	}
}

// drain waits until all that was accepted has been applied and all who want to
// have heard of it, or until it is proven that nothing more will be: the service
// is idle and the broker says twice that nothing waits, or, where it cannot tell,
// nothing has happened for a while. News is on its way even when no broker has it
// any more, so it is waited for that while too. It reports false if the time for
// it ended first.
func (d *driver) drain(ctx context.Context) bool {
	deadline := d.runtime.Now() + time.Duration(d.cell.Load.Drain)
	var empty int
	lastWork, lastBusy := d.runtime.Now(), int64(-1)
	for {
		d.recorder.Collect(d.runtime.Now())
		idle := d.service.Busy() == 0
		unheard, notices := d.recorder.Unheard()
		if idle && unheard == 0 && d.recorder.Undecided() == 0 && !d.again() {
			return true
		}
		now := d.runtime.Now()
		if done := d.service.Handled() + notices; !idle || done != lastBusy {
			lastWork, lastBusy = now, done
		}
		proven, told := d.brokerEmpty(ctx)
		switch {
		case !idle || !proven:
			empty = 0
		default:
			empty++
		}
		quiet := now-lastWork >= quietTime
		if told && empty >= 2 && (unheard == 0 || quiet) || !told && quiet {
			return true
		}
		if now >= deadline || d.runtime.Sleep(ctx, lookEvery*4) != nil {
			return false
		}
	}
}

// again reports whether work may come again that has been done, since the broker
// was never told so: only after faults, and where brokers deliver again.
func (d *driver) again() bool {
	return len(d.cell.Faults) > 0 && d.session != nil && d.session.Traits().Has(flows.Redelivers)
}

// brokerEmpty reports whether the broker says that nothing waits, and whether
// it can tell at all. A flow without a broker has nowhere to wait.
func (d *driver) brokerEmpty(ctx context.Context) (empty, told bool) {
	if d.session == nil {
		return false, false
	}
	n, ok, err := d.session.Backlog(ctx)
	if err != nil {
		d.engine.Log.Debug("backlog unknown", "cell", d.cell.ID, "error", err)
		return false, ok
	}
	return n == 0, ok
}
