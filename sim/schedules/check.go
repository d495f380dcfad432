package schedules

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/service"
)

// A record is what became of one operation.
type record struct {
	op       *flows.Op
	dropped  bool
	returned int // how often Do has
	err      error
	ended    time.Duration
	applied  []time.Duration
	refused  int
	corrupt  bool
}

// A Report is what came out of a run.
type Report struct {
	Wrong  []string // what should not be, in words; empty if all is well
	Digest uint64   // of everything that happened, in order
	Counts Counts
}

// Counts is how the operations of a run ended.
type Counts struct{ Due, OK, Failed, Unknown, Dropped int }

// wrong notes what should not be.
func (r *Report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// Run runs the plan and checks it.
func (p Plan) Run() Report { return newWorld(p).run() }

// Tell is Run with a transcript, one line for each thing that happened.
func (p Plan) Tell() (Report, string) {
	w := newWorld(p)
	w.log.words = new(strings.Builder)
	report := w.run()
	return report, w.log.words.String()
}

func (w *world) run() (report Report) {
	defer func() {
		if v := recover(); v != nil {
			report.wrong("panic: %v\n%s", v, debug.Stack())
		}
	}()
	err := w.kernel.Run(context.Background(), func(ctx context.Context) {
		if err := w.open(ctx); err != nil {
			report.wrong("open: %v", err)
			return
		}
		w.load(ctx)
		if err := w.close(ctx, func(ctx context.Context) { w.checkRest(ctx, &report) }); err != nil {
			report.wrong("close: %v", err)
		}
	})
	if err != nil { // a deadlock, most likely
		report.wrong("%v", err)
	}
	if len(w.ops[0].applied) > 0 {
		report.wrong("%d commands were applied that nobody gave", len(w.ops[0].applied))
	}
	if w.plan.Calm && w.strays > 0 {
		report.wrong("nothing went wrong, and nobody waited for %d answers", w.strays)
	}
	report.Wrong = append(report.Wrong, w.rumours...)
	for id := 1; id < len(w.ops); id++ {
		w.count(&report, &w.ops[id])
		w.checkOp(&report, &w.ops[id])
	}
	if c := report.Counts; c.Due != c.OK+c.Failed+c.Unknown+c.Dropped || c.Due != w.plan.Ops {
		report.wrong("the account does not close: %+v of %d operations", c, w.plan.Ops)
	}
	report.Digest = w.log.sum
	return report
}

// checkRest looks for what is left over when all should be done.
func (w *world) checkRest(ctx context.Context, r *Report) {
	if n := w.service.Busy(); n != 0 {
		r.wrong("the service still has %d requests", n)
	}
	if n, ok, err := w.session.Backlog(ctx); err != nil || ok && n != 0 {
		r.wrong("%d messages are left at the broker, or cannot be counted: %v", n, err)
	}
	for path, n := range waiting(w.server, w.clients) {
		r.wrong("%d are left over, still waited for or held, in %s", n, path)
	}
	w.checkCarried(r)
}

// count counts how an operation ended.
func (w *world) count(r *Report, o *record) {
	if o.op == nil {
		return // the load did not get that far
	}
	r.Counts.Due++
	outcome, _ := flows.OutcomeOf(o.err)
	switch {
	case o.dropped:
		r.Counts.Dropped++
	case o.returned != 1:
		r.wrong("operation %d ended %d times", o.op.ID, o.returned)
	case outcome == flows.OK:
		r.Counts.OK++
	case outcome == flows.Failed:
		r.Counts.Failed++
	default:
		r.Counts.Unknown++
	}
}

// checkOp compares what a client was told with what the service did.
func (w *world) checkOp(r *Report, o *record) {
	if o.op == nil {
		return
	}
	p, op, times := w.plan, o.op, len(o.applied)
	outcome, class := flows.OutcomeOf(o.err)
	accepted, answered, started := op.At(flows.Accepted), op.At(flows.Answered), op.At(flows.Started)
	wrong := func(format string, args ...any) {
		what := fmt.Sprintf(format, args...)
		r.wrong("%v %d (%v, %s, applied %v): %s", op.Kind, op.ID, outcome, class, o.applied, what)
	}
	if took := o.ended - started; !o.dropped && took > p.Settings.Timeout {
		wrong("took %v; its client's patience is %v", took, p.Settings.Timeout)
	}
	if o.corrupt {
		wrong("what was applied is not what was sent")
	}
	switch {
	case o.dropped && (times > 0 || o.refused > 0):
		wrong("dropped, and arrived at the service")
	case outcome == flows.Failed && times > 0:
		wrong("failed means certainly not applied: %v", o.err)
	case class == flows.Timeout && outcome == flows.Failed && p.Mode != flows.Reference: // there, of a Put
		wrong("a timeout is never a failure")
	case class == flows.Internal || class == flows.Canceled || class == flows.Corrupt:
		wrong("nothing here gives a reason for that: %v", o.err)
	case times > 1 && !p.mayRepeat():
		wrong("applied %d times, and nothing here allows that", times)
	case accepted > 0 && op.Kind == flows.Command && times == 0 && o.refused == 0 && p.mustKeep():
		wrong("accepted at %v, and never applied", accepted)
	case outcome == flows.OK && !o.dropped && op.Kind == flows.Query && answered == 0:
		wrong("a query that is ok has an answer")
	case outcome == flows.OK && answered > 0 && op.Kind == flows.Command && (times == 0 || o.applied[0] > answered):
		wrong("answered at %v, before anything was applied", answered)
	case p.Calm && !o.dropped && outcome != flows.OK && class != flows.Rejected:
		wrong("nothing went wrong, and it did not end ok: %v", o.err)
	}
	if outcome == flows.OK && answered > 0 {
		w.checkAnswer(op, wrong)
	}
}

// checkAnswer looks whether an answer belongs to its question.
func (w *world) checkAnswer(op *flows.Op, wrong func(string, ...any)) {
	of, intact := service.CheckPayload(op.Answer)
	switch {
	case !intact:
		wrong("the answer %x is not a payload", op.Answer)
	case op.Kind == flows.Command && of != op.ID:
		wrong("the answer is that of command %d", of)
	case op.Kind == flows.Query && of != 0:
		if of >= uint64(len(w.ops)) || w.ops[of].op == nil || w.ops[of].op.Key != op.Key {
			wrong("the answer is from the key of command %d", of)
		} else if o := w.ops[of]; len(o.applied) == 0 || o.applied[0] > op.At(flows.Answered) {
			wrong("the answer is the value of command %d, which was not applied by then", of)
		}
	}
}

// mayRepeat reports whether commands may be applied more than once. It takes a
// flow that allows it, a broker that delivers again, and a reason: something was
// interrupted before it was acknowledged, or sent again, which brokers notice
// that know message ids.
func (p Plan) mayRepeat() bool {
	if p.Flow.Spec().Promise != flows.AtLeastOnce || !p.traits().Has(flows.Redelivers) {
		return false
	}
	reason := p.Params.Int("ack_wait_ms") > 0
	for _, f := range p.Faults {
		switch f := f.(type) {
		case modelbroker.Fault:
			noticed := f.Kind == modelbroker.Resend && p.traits().Has(flows.Dedups)
			reason = reason || f.Kind != modelbroker.Slow && !noticed
		case Crash:
			reason = true
		}
	}
	return reason
}

// mustKeep reports whether what was accepted must be applied. It takes a flow
// that promises it and a broker that says what it has taken, keeps it until it is
// acknowledged and, where there is an outage, through that.
func (p Plan) mustKeep() bool {
	if p.Flow.Spec().Promise != flows.AtLeastOnce || !p.traits().Has(flows.Confirms|flows.Redelivers) {
		return false
	}
	for _, f := range p.Faults {
		if f, ok := f.(modelbroker.Fault); ok && f.Kind == modelbroker.Outage && !p.traits().Has(flows.Durable) {
			return false
		}
	}
	return true
}
