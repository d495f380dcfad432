package des

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// An activity is a coroutine of the kernel and what it is running, if anything.
// It waits for at most one thing and with at most one context, so that the links
// of the lists in which it stands are part of it, and waiting allocates nothing.
type activity struct {
	kernel *Kernel
	id     uint32
	next   func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	job    *job // nil while idle

	err        error           // how the last wait ended
	place      string          // where it waits, for people; empty while it does not
	line       *line           // in which it waits, if any
	prev, rear *activity       // its neighbours there
	watch      listener        // its place among those who follow its context
	look       context.Context // what is looked at when nothing else is left to do, if anything
	between    bool            // look stands between the activity and the context that it follows
	timer      uint32
}

// A job is what [Kernel.Go] was asked to run.
type job struct {
	kernel  *Kernel
	ctx     context.Context
	run     func(ctx context.Context)
	ended   bool
	waiting line
}

// maxIdle is how many coroutines wait for work at most. One costs about 3 KB.
const maxIdle = 1 << 12

// Go implements [flows.Runtime]. The activity starts at the present instant,
// after everything that is due already.
func (k *Kernel) Go(ctx context.Context, f func(ctx context.Context)) func(context.Context) error {
	return k.start(ctx, f).wait
}

func (k *Kernel) start(ctx context.Context, f func(ctx context.Context)) *job {
	j := &job{kernel: k, ctx: ctx, run: f}
	var a *activity
	if n := len(k.idle); n > 0 {
		a = k.idle[n-1]
		k.idle = k.idle[:n-1]
	} else {
		a = k.newActivity()
	}
	a.job = j
	k.live++
	k.due.push(call{resumeHandler, a.id})
	return j
}

// wait waits for the job to end. A job that has ended counts for more than a
// context that has.
func (j *job) wait(ctx context.Context) error {
	if j.ended {
		return nil
	}
	return j.kernel.wait(ctx, &j.waiting, "the end of an activity")
}

func (k *Kernel) newActivity() *activity {
	a := &activity{kernel: k, id: uint32(len(k.activities)), timer: none}
	a.watch.activity = a
	a.next, a.stop = iter.Pull(a.live)
	k.activities = append(k.activities, a)
	return a
}

// live is the coroutine: it runs one job after the other.
func (a *activity) live(yield func(struct{}) bool) {
	a.yield = yield
	for {
		a.work()
		if a.kernel.stopping || len(a.kernel.idle) == maxIdle {
			// It ends, and its place in the list stays empty until the run is over.
			return
		}
		a.kernel.idle = append(a.kernel.idle, a)
		if !yield(struct{}{}) {
			return
		}
	}
}

// An unwinding is what an activity panics with when its run is over and it still
// waits for something.
type unwinding struct{}

// work runs the job and settles its end, whatever that is.
func (a *activity) work() {
	k, j := a.kernel, a.job
	defer func() {
		v := recover()
		_, unwound := v.(unwinding)
		if v != nil && !unwound {
			fault := &Panic{Value: v, Stack: debug.Stack()}
			if !k.stopping {
				panic(fault)
			}
			k.fault = fault
		}
	}()
	defer func() {
		a.job = nil
		k.live--
		j.ended = true
		j.waiting.wakeAll(k)
	}()
	j.run(j.ctx)
}

// resume lets an activity run until it next waits.
func (k *Kernel) resume(id uint32) { k.activities[id].step() }

func (a *activity) step() {
	a.kernel.current = a
	a.next()
	a.kernel.current = nil
}

// wait has the running activity wait in l, or only for its timer if l is nil,
// until it is woken or ctx ends.
func (k *Kernel) wait(ctx context.Context, l *line, place string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return k.runner(place).park(ctx, l, place)
}

// Sleep implements [flows.Runtime].
func (k *Kernel) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	a := k.runner("a sleep")
	a.timer = k.newTimer(d, timer{sleeper: a})
	return a.park(ctx, nil, "a sleep")
}

// runner returns the activity that runs.
func (k *Kernel) runner(place string) *activity {
	switch {
	case k.stopping:
		panic(unwinding{})
	case k.current == nil:
		panic("des: waiting for " + place + " outside of an activity")
	}
	return k.current
}

func (a *activity) park(ctx context.Context, l *line, place string) error {
	a.err, a.place = nil, place
	if l != nil {
		l.add(a)
	}
	a.follow(ctx)
	if !a.yield(struct{}{}) {
		panic(unwinding{})
	}
	return a.err
}

// wake ends a wait with err. The activity runs after everything that is due.
func (a *activity) wake(err error) {
	a.leave()
	a.err = err
	a.kernel.due.push(call{resumeHandler, a.id})
}

// wakeNow ends a wait at its own event.
func (a *activity) wakeNow() {
	a.leave()
	a.step()
}

// leave takes the activity out of everything that could wake it, so that only
// one thing ever does.
func (a *activity) leave() {
	a.place = ""
	if a.line != nil {
		a.line.remove(a)
	}
	a.watch.remove()
	a.look, a.between = nil, false
	if a.timer != none {
		a.kernel.stopTimer(a.timer)
		a.timer = none
	}
}

// A line is activities that wait for the same thing, in the order in which they
// came.
type line struct{ first, last *activity }

func (l *line) add(a *activity) {
	a.line, a.prev, a.rear = l, l.last, nil
	if l.last == nil {
		l.first = a
	} else {
		l.last.rear = a
	}
	l.last = a
}

func (l *line) remove(a *activity) {
	if a.prev == nil {
		l.first = a.rear
	} else {
		a.prev.rear = a.rear
	}
	if a.rear == nil {
		l.last = a.prev
	} else {
		a.rear.prev = a.prev
	}
	a.line, a.prev, a.rear = nil, nil, nil
}

// wakeFirst wakes who came first. It reports whether there was anybody.
func (l *line) wakeFirst() bool {
	if l.first == nil {
		return false
	}
	l.first.wake(nil)
	return true
}

// wakeAll wakes everybody in order. After the end of a run there is nobody to
// wake.
func (l *line) wakeAll(k *Kernel) {
	for !k.stopping {
		if !l.wakeFirst() {
			return
		}
	}
}

// A Panic is what an activity panicked with, as it comes out of [Kernel.Run].
// The stack is the activity's, which would be lost otherwise.
type Panic struct {
	Value any
	Stack []byte
}

// Error implements error.
func (p *Panic) Error() string {
	return fmt.Sprintf("an activity panicked: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// A Deadlock says that activities wait and nothing is left that could wake them.
type Deadlock struct {
	At      time.Duration
	Waiting int            // activities
	Where   map[string]int // how many of them wait for what
}

// Error implements error.
func (d *Deadlock) Error() string {
	var places []string
	for place, n := range d.Where {
		places = append(places, fmt.Sprintf("%d for %s", n, place))
	}
	slices.Sort(places)
	return fmt.Sprintf("deadlock at %v: nothing is due, and %d activities wait: %s", d.At, d.Waiting,
		strings.Join(places, ", "))
}

func (k *Kernel) deadlock() error {
	d := &Deadlock{At: k.now, Waiting: k.live, Where: make(map[string]int)}
	for _, a := range k.activities {
		if a.place != "" {
			d.Where[a.place]++
		}
	}
	return d
}
