package sim

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/host"
	"flowbench/sim/service"
)

const (
	leadTime     = 20 * time.Millisecond // from fixing the origin to the first due operation
	collectEvery = 50 * time.Millisecond
	reportEvery  = 200 * time.Millisecond
	canarySleep  = time.Millisecond
)

// A driver puts the load of one cell on its world.
type driver struct {
	*world
	result   *results.Cell
	recorder *results.CellRecorder
	origin   time.Duration
	end      time.Duration // of the load
	report   func(Progress)

	told     []told // by client
	issued   atomic.Uint64
	inFlight atomic.Int64
	bulk     atomic.Bool // a large payload is under way
	measure  measurement
}

// drive warms up, loads and drains, and completes the cell's result. It returns
// the context's error if that cut it short; the result is complete even then.
func (w *world) drive(ctx context.Context, result *results.Cell, seconds io.Writer, report func(Progress)) error {
	load := w.cell.Load
	w.foresee(ctx)
	d := &driver{world: w, result: result, report: report, origin: w.runtime.Now() + leadTime}
	d.end = d.origin + time.Duration(load.Warmup+load.Duration)
	d.recorder = results.NewCellRecorder(results.CellConfig{
		Cell: result, Origin: d.origin, Faults: len(w.cell.Faults) > 0, Seconds: seconds, History: w.history,
	})
	if !w.simulated {
		w.began = time.Now().Add(d.origin - w.runtime.Now()).UTC()
	}
	d.told = make([]told, len(w.clients))
	w.begin(d.recorder, d.origin)

	side, stopSide := w.runtime.WithCancel(context.WithoutCancel(ctx))
	waits := []func(context.Context) error{w.runtime.Go(side, d.collect)}
	if !w.simulated {
		waits = append(waits, w.runtime.Go(side, d.watchCanary))
	}
	costs := w.runtime.Go(ctx, d.measureCosts)
	sent := func(context.Context) error { return nil }
	if len(w.cell.Faults) > 0 {
		sent = w.runtime.Go(ctx, d.watchMeters)
	}
	var err, broken error
	breaking := w.runtime.Go(ctx, func(ctx context.Context) { broken = d.faults(ctx) })
	if load.Arrivals == scenarios.Closed {
		err = d.closedLoad(ctx)
	} else {
		schedule := load.Schedule(w.cell.Seed)
		err = w.runtime.Pace(ctx, schedule, d.origin, func(due time.Duration) { d.start(ctx, due) })
	}
	_ = breaking(context.WithoutCancel(ctx)) // it ends with the last fault, or with ctx
	_ = costs(context.WithoutCancel(ctx))    // it ends with the measured time, or with ctx
	_ = sent(context.WithoutCancel(ctx))     // likewise
	d.settle(ctx)
	result.Drained = ctx.Err() == nil && d.drain(ctx)
	stopSide()
	for _, wait := range waits {
		_ = wait(context.WithoutCancel(ctx)) // they have been told to end
	}
	d.event(results.Event{Kind: "phase", Name: "end"})
	if cerr := d.recorder.Close(); err == nil {
		err = cerr
	}
	if err == nil && ctx.Err() == nil && broken != nil {
		err = &EnvironmentError{broken}
	}
	if err == nil {
		err = ctx.Err()
	}
	result.FrontEnds = w.edge.shares()
	if followed := w.hops.Records(d.origin); followed.Sampled > 0 {
		result.Hops, w.followed = &followed.Hops, followed.Kept
	}
	result.Finished = err == nil
	d.measure.complete(result, w.flow.Spec(), w.simulated)
	result.Judge()
	return err
}

// start begins the operation that is due, if there is room for it.
func (d *driver) start(ctx context.Context, due time.Duration) {
	id := d.issued.Add(1)
	d.recorder.Issue(id)
	client := int(id % uint64(len(d.clients)))
	if d.inFlight.Load() >= int64(d.cell.Load.MaxInFlight) {
		d.drop(id, client, due)
		return
	}
	d.inFlight.Add(1)
	d.runtime.Go(ctx, func(ctx context.Context) {
		defer d.inFlight.Add(-1)
		d.operate(ctx, d.assign(id), client, client, due)
	})
}

// closedLoad lets every user ask, wait and think until the load ends.
func (d *driver) closedLoad(ctx context.Context) error {
	if err := d.runtime.Sleep(ctx, d.origin-d.runtime.Now()); err != nil {
		return err
	}
	var waits []func(context.Context) error
	for u := range d.cell.Load.Users {
		waits = append(waits, d.runtime.Go(ctx, func(ctx context.Context) {
			for ctx.Err() == nil {
				if d.runtime.Now() >= d.end {
					return
				}
				id := d.issued.Add(1)
				d.recorder.Issue(id)
				d.inFlight.Add(1)
				a := d.assign(id) // making a large payload takes time that is not the flow's
				d.operate(ctx, a, u, u%len(d.clients), d.runtime.Now())
				d.inFlight.Add(-1)
				if think := time.Duration(d.cell.Load.ThinkTime); think > 0 {
					_ = d.runtime.Sleep(ctx, think) // the loop looks at the context
				}
			}
		}))
	}
	for _, wait := range waits {
		_ = wait(context.WithoutCancel(ctx)) // users end with ctx, and no sooner than their operation
	}
	return ctx.Err()
}

// operate performs one operation and records its outcome. lane tells recorders
// of the same user apart from others.
func (d *driver) operate(ctx context.Context, a assignment, lane, client int, due time.Duration) {
	id, kind, key := a.id, a.kind, a.key
	op := flows.NewOp(d.runtime, id, kind, service.KeyName(key), a.body)
	op.Urgent = d.cell.Urgent(id)
	own := &d.told[client]
	var before wrote
	if kind == flows.Command {
		op.Notice = func(s flows.Stage) { own.note(key, id, s) }
	} else {
		before = own.of(key)
	}
	if due-d.origin >= time.Duration(d.cell.Load.Warmup) {
		d.hops.Begin(id, client)
	}
	op.Reach(flows.Started)
	octx, cancel := d.runtime.WithTimeout(ctx, a.patience)
	err := d.clients[client].Do(octx, op)
	cancel()
	if a.bulk {
		d.bulk.Store(false)
	}
	ended := d.runtime.Now()
	o := results.Outcome{
		Op: id, Client: lane, Kind: results.Kind(kind), Key: uint32(key), Urgent: op.Urgent, Due: due,
		Started: op.At(flows.Started), Accepted: op.At(flows.Accepted), Answered: op.At(flows.Answered),
		Ended: ended, Bulk: a.bulk, Beside: a.beside, Instead: a.instead,
	}
	outcome, class := flows.OutcomeOf(err)
	if err == nil && !d.rightAnswer(op) {
		outcome, class = flows.Undecided, flows.Corrupt
	}
	o.Status, o.Class = results.Status(outcome), string(class)
	if kind == flows.Query && outcome == flows.OK {
		o.Read = d.freshness(key, op.Answer, before)
	}
	d.recorder.Outcome(o)
	d.hops.End(o)
	if err != nil {
		d.engine.Log.Debug(
			"operation not ok",
			"cell",
			d.cell.ID,
			"op",
			id,
			"kind",
			kind,
			"outcome",
			outcome,
			"error",
			err,
		)
	}
}

// rightAnswer reports whether op got the bytes that belong to it: a command the
// receipt with its own id, a query what some operation wrote.
func (d *driver) rightAnswer(op *flows.Op) bool {
	if op.At(flows.Answered) == 0 {
		return true // the flow brings no answer
	}
	id, intact := service.CheckPayload(op.Answer)
	if op.Kind == flows.Command {
		return intact && id == op.ID
	}
	return intact && id <= d.issued.Load()
}

// collect keeps the recorder's buffers short and the progress display going.
func (d *driver) collect(ctx context.Context) {
	var reported time.Duration
	for d.runtime.Sleep(ctx, collectEvery) == nil {
		now := d.runtime.Now()
		d.recorder.Collect(now)
		if now-reported >= reportEvery {
			reported = now
			d.report(Progress{
				Phase: d.phase(now), Elapsed: now - d.origin, Live: d.recorder.Live(), InFlight: d.inFlight.Load(),
			})
		}
	}
}

func (d *driver) phase(now time.Duration) Phase {
	switch {
	case now >= d.end:
		return Draining
	case now-d.origin < time.Duration(d.cell.Load.Warmup):
		return WarmUp
	default:
		return Measured
	}
}

// watchCanary records how late a goroutine wakes that sleeps as anything else
// in this process might, while the cell is measured.
func (d *driver) watchCanary(ctx context.Context) {
	if d.runtime.Sleep(ctx, d.origin+time.Duration(d.cell.Load.Warmup)-d.runtime.Now()) != nil {
		return
	}
	for ctx.Err() == nil && d.runtime.Now() < d.end {
		before := d.runtime.Now()
		time.Sleep(canarySleep) // the runtime's own timers, with all their faults, are what is watched
		d.recorder.Late(d.runtime.Now() - before - canarySleep)
	}
}

// A measurement holds the counters at both ends of the measured time.
type measurement struct{ from, to counters }

// counters are everything that costs are computed from.
type counters struct {
	taken                          bool
	host                           host.Sample
	published, delivered, brokerIO int64
	requests, edgeIO               int64
	objects, storeIO               int64
	use                            useSample
}

func (w *world) count() counters {
	b, e, s := &w.brokerMeter, &w.edgeMeter, &w.storeMeter
	var machine host.Sample
	if !w.simulated {
		machine = host.Take()
	}
	return counters{
		taken: true, host: machine,
		published: b.Published.Load(), delivered: b.Delivered.Load(), brokerIO: b.BytesIn.Load() + b.BytesOut.Load(),
		requests: e.Requests.Load(), edgeIO: e.BytesIn.Load() + e.BytesOut.Load(),
		objects: s.Puts.Load() + s.Gets.Load() + s.Deletes.Load(), storeIO: s.BytesIn.Load() + s.BytesOut.Load(),
		use: w.useNow(),
	}
}

// measureCosts reads the counters when the measured time begins and ends.
func (d *driver) measureCosts(ctx context.Context) {
	d.event(results.Event{Kind: "phase", Name: string(WarmUp)})
	if d.runtime.Sleep(ctx, d.origin+time.Duration(d.cell.Load.Warmup)-d.runtime.Now()) != nil {
		return
	}
	d.event(results.Event{Kind: "phase", Name: string(Measured)})
	d.measure.from = d.count()
	if d.runtime.Sleep(ctx, d.end-d.runtime.Now()) != nil {
		return
	}
	d.measure.to = d.count()
	d.event(results.Event{Kind: "phase", Name: string(Draining)})
}

// watchMeters tells the recorder what has been sent at the end of every bin of
// the timeline, until the load ends.
func (d *driver) watchMeters(ctx context.Context) {
	for at := d.origin; at <= d.end; at += results.BinWidth {
		if d.runtime.Sleep(ctx, at-d.runtime.Now()) != nil {
			return
		}
		// It asks for the time again, since a machine that paused wakes it late.
		d.recorder.Sent(d.runtime.Now(), d.brokerMeter.Published.Load(), d.edgeMeter.Requests.Load())
	}
}

// complete computes costs per operation and the pressure on the machine.
// A model has no bytes and no CPU time that anybody could learn from.
func (m *measurement) complete(c *results.Cell, spec flows.Spec, simulated bool) {
	c.Pressure = results.Pressure{CPUSome: -1, IOSome: -1, Steal: -1, Busy: -1}
	n := c.Counts.Due - c.Counts.Dropped
	c.Use = m.to.use.since(m.from.use)
	if !m.from.taken || !m.to.taken || n == 0 {
		return
	}
	each := func(delta int64) *float64 {
		v := float64(delta) / float64(n)
		return &v
	}
	if !simulated {
		c.Pressure = m.to.host.Since(m.from.host)
		c.Cost.CPUus = each(m.to.host.OwnCPU(m.from.host).Microseconds())
	}
	if spec.Uses.Has(flows.UsesBroker) {
		c.Cost.BrokerMsgs = each(m.to.published - m.from.published)
		c.Cost.BrokerDeliveries = each(m.to.delivered - m.from.delivered)
		if !simulated {
			c.Cost.BrokerBytes = each(m.to.brokerIO - m.from.brokerIO)
		}
	}
	if c.Store != "" {
		c.Cost.StoreRequests = each(m.to.objects - m.from.objects)
		if !simulated {
			c.Cost.StoreBytes = each(m.to.storeIO - m.from.storeIO)
		}
	}
	if spec.Uses.Has(flows.UsesEdge) {
		c.Cost.HTTPRequests = each(m.to.requests - m.from.requests)
		if !simulated {
			c.Cost.HTTPBytes = each(m.to.edgeIO - m.from.edgeIO)
		}
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
