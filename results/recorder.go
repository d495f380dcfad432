package results

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxLanes   = 256 // beyond, clients share lanes; a lane's lock is held for nanoseconds
	laneBuffer = 512 // outcomes that a lane takes between two collections
)

// A CellRecorder records one cell. Outcome and Applied may be called by any
// number of goroutines; Collect is called every now and then by one, and Close
// once after the last of them.
type CellRecorder struct {
	config  CellConfig
	clients []lane[Outcome]
	service []lane[Applied]
	issued  atomic.Uint64

	mu       sync.Mutex // guards all below; taken by the collector, and by events, which are rare
	cell     *Cell
	account  *account
	audience *audience // nil where nobody wants to hear of commands
	seconds  map[int]*openSecond
	spare    []*openSecond
	closed   int // seconds below are written
	out      *bufio.Writer
	encoder  *encoder
	line     *timelineRecorder // nil unless the cell has faults
	history  *historyWriter    // nil unless the cell keeps one
	err      error
	live     Live
	active   Active
	carried  carriedTally
}

// A CellConfig is what a recorder must know of its cell.
type CellConfig struct {
	Cell    *Cell         // described, with everything that is to be counted still zero
	Origin  time.Duration // when the load begins, on the runtime's clock
	Faults  bool          // the cell is going to have faults: keep a timeline
	Seconds io.Writer     // where the seconds and the events go, as lines of JSON
	History io.Writer     // where every single event goes, for [ReadHistory]; may be nil
}

// A lane is a buffer that one client appends to and the collector empties.
type lane[T any] struct {
	mu    sync.Mutex
	items []T
	spare []T
	_     [64]byte // keep neighbours off this cache line
}

// take returns what has gathered in the lane. It stays valid until the next call.
func (l *lane[T]) take() []T {
	l.mu.Lock()
	items := l.items
	l.items = l.spare[:0]
	l.spare = items
	l.mu.Unlock()
	return items
}

// add appends x and reports false where there is no room.
func (l *lane[T]) add(x *T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.items) == cap(l.items) {
		return false
	}
	l.items = append(l.items, *x)
	return true
}

func newLanes[T any](n int) []lane[T] {
	lanes := make([]lane[T], min(max(n, 1), maxLanes))
	for i := range lanes {
		lanes[i].items, lanes[i].spare = make([]T, 0, laneBuffer), make([]T, 0, laneBuffer)
	}
	return lanes
}

// NewCellRecorder returns a recorder for the cell of config.
func NewCellRecorder(config CellConfig) *CellRecorder {
	c := config.Cell
	c.Latency = make(map[string]map[string]*Hist)
	c.Classes = make(map[string]int64)
	c.SendLag, c.Canary = NewHist(), NewHist()
	c.Stale.Accepted.Lag, c.Stale.Answered.Lag = NewHist(), NewHist()
	r := &CellRecorder{
		config:  config,
		clients: newLanes[Outcome](max(c.Load.Clients, c.Load.Users)),
		service: newLanes[Applied](16),
		cell:    c,
		seconds: make(map[int]*openSecond),
		out:     bufio.NewWriter(config.Seconds),
		encoder: newEncoder(),
	}
	r.account = newAccount(&r.issued, r.join)
	if c.Broker != "" {
		r.account.copies = make(map[uint64]int32)
	}
	if config.Faults {
		r.line = newTimelineRecorder(config.Origin)
		r.account.recent = &recent{}
		r.account.windows = &windows{start: config.Origin + c.Load.Warmup}
		r.account.first = func(a Applied) { r.line.count(&r.line.line.Applied, a.At) }
	}
	if config.History != nil {
		r.history = newHistoryWriter(config)
	}
	if c.Heard != nil {
		r.audience = newAudience(c.Heard)
	}
	if c.Payloads != nil {
		c.Payloads.FirstByte, c.Payloads.LastByte = NewHist(), NewHist()
	}
	return r
}

// Outcome implements [Recorder].
func (r *CellRecorder) Outcome(o Outcome) {
	for l := &r.clients[o.Client%len(r.clients)]; !l.add(&o); {
		r.Collect(o.Due)
	}
}

// Applied implements [Recorder].
func (r *CellRecorder) Applied(a Applied) {
	for l := &r.service[a.Op%uint64(len(r.service))]; !l.add(&a); {
		r.Collect(a.At)
	}
}

// Event implements [Recorder].
func (r *CellRecorder) Event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cell.Events = append(r.cell.Events, e)
	if len(r.cell.Events) > maxEvents {
		r.cell.Events = r.cell.Events[:maxEvents]
		return
	}
	r.active.take(e)
	r.writeLine(line{Event: &e})
	r.flush() // events are what a reader of a crashed run looks for first
}

// maxEvents bounds the events of a cell: a connection that flaps for hours must
// not fill the memory.
const maxEvents = 10_000

// Stray takes an answer that nobody waited for (any more).
func (r *CellRecorder) Stray(op uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.stray(op)
	r.account.saw(op, classLateAnswers)
}

// Redelivered takes a request that reached a service and that had reached one
// before, as the broker says, at a time on the runtime's clock.
func (r *CellRecorder) Redelivered(op uint64, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line != nil {
		r.line.count(&r.line.line.Redelivered, at)
	}
	r.history.redelivered(op)
	r.account.saw(op, classRedelivered)
}

// Sent takes how many messages and requests have been sent until now, a time on
// the runtime's clock, by counters that only grow. In a cell with faults it is to
// be called when the load begins and at the end of every [BinWidth] of it.
func (r *CellRecorder) Sent(now time.Duration, messages, requests int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line != nil {
		r.line.meters(meterReading{at: now, messages: messages, requests: requests})
	}
}

// FaultHealed takes when a fault began to be undone, since the load began, as in
// [Fault].Heal. It may be called when it has been undone. Close knows of all
// faults of the cell; in a long cell it must be told of them before, since the
// recorder remembers only the latest commands.
func (r *CellRecorder) FaultHealed(heal time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.account.healed(r.config.Origin + heal)
}

// Late records how late the canary woke.
func (r *CellRecorder) Late(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cell.Canary.Record(d)
}

// Issue notes that operations up to id may have been started. It is called
// before the first of them is.
func (r *CellRecorder) Issue(id uint64) {
	for {
		old := r.issued.Load()
		if old >= id || r.issued.CompareAndSwap(old, id) {
			return
		}
	}
}

// Undecided returns how many commands have ended without having failed and have
// not been applied, as far as has been collected.
func (r *CellRecorder) Undecided() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.account.owed()
}

// Collect takes in what has been recorded so far and writes the seconds that
// are complete: those that ended so long before now that all their operations
// have timed out.
func (r *CellRecorder) Collect(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gather()
	patience := r.cell.Load.Timeout
	if b := r.cell.Bulk; b != nil {
		patience = max(patience, b.Timeout)
	}
	complete := int((now - r.config.Origin - patience - time.Second) / time.Second)
	for r.closed < complete {
		r.closeSecond()
	}
	if r.line != nil {
		r.line.closeTails(now - patience - time.Second)
	}
}

// gather empties all lanes.
func (r *CellRecorder) gather() {
	for i := range r.service {
		for _, a := range r.service[i].take() {
			r.history.applied(a)
			if a.Corrupt && r.cell.Payloads != nil {
				r.cell.Payloads.Corrupt++
			}
			r.account.apply(a)
			if !a.Refused && !a.Repeated && a.Instance >= 0 && a.Instance < len(r.cell.Served) {
				r.cell.Served[a.Instance]++
			}
		}
	}
	for i := range r.clients {
		for _, o := range r.clients[i].take() {
			r.outcome(o)
		}
	}
	r.gatherHeard()
}

// outcome takes one outcome into the counts, the histograms and the account.
func (r *CellRecorder) outcome(o Outcome) {
	r.history.outcome(o)
	r.account.windows.outcome(o)
	if r.line != nil {
		r.line.outcome(o)
	}
	s := r.secondOf(o.Due)
	s.counts.add(o.Status)
	measured := r.measured(o.Due)
	if measured {
		r.cell.Counts.add(o.Status)
		if o.Class != "" {
			r.cell.Classes[o.Class]++
		}
		r.cell.Bulk.count(o)
	} else {
		r.cell.WarmupOps.add(o.Status)
	}
	if o.Status == Dropped {
		return
	}
	lag := o.Started - o.Due
	s.hist(lagHist).Record(lag)
	r.live.lag(lag)
	if measured {
		r.cell.SendLag.Record(lag)
	}
	if o.Status == OK {
		r.latency(s, o, AcceptedStage, o.Accepted)
		r.latency(s, o, AnsweredStage, o.Answered)
		if !o.Bulk {
			r.live.note(o)
		}
		if measured && o.Kind == Query {
			r.cell.Stale.Accepted.read(o.Read&AfterAccepted != 0, o.Read&StaleAccepted != 0)
			r.cell.Stale.Answered.read(o.Read&AfterAnswered != 0, o.Read&StaleAnswered != 0)
		}
	}
	r.account.end(o)
}

// corruptClass is the class of answers with other bytes than were asked for.
const corruptClass = "corrupt"

// join records when a command was applied, once its outcome is known as well.
func (r *CellRecorder) join(o Outcome, a Applied) {
	if r.audience != nil {
		r.audience.join(o, a, r.measured(o.Due))
	}
	if o.Status == OK {
		r.latency(r.secondOf(o.Due), o, AppliedStage, a.At)
		if r.measured(o.Due) {
			if !o.Bulk {
				r.cell.Payloads.arrived(o, a)
			}
			r.cell.Stale.Accepted.command(o.Accepted, a.At)
			r.cell.Stale.Answered.command(o.Answered, a.At)
		}
	}
}

// command takes a command whose client was told of it at the first time, if at
// all, and that was applied at the second.
func (s *StaleAfter) command(told, applied time.Duration) {
	if told == 0 {
		return
	}
	s.Commands++
	if applied > told {
		s.Early++
		s.Lag.Record(applied - told)
	}
}

// read takes a query that was looked at.
func (s *StaleAfter) read(after, stale bool) {
	if after {
		s.Reads++
	}
	if stale {
		s.Stale++
	}
}

// latency records that o reached stage at the given time, if it did. Operations
// with a large payload have histograms of their own: among the others they would
// be a tail that no small one ever saw.
func (r *CellRecorder) latency(s *openSecond, o Outcome, stage Stage, at time.Duration) {
	if at == 0 {
		return
	}
	d := at - o.Due
	if r.measured(o.Due) {
		r.cell.Bulk.record(o, stage, d)
	}
	if o.Bulk {
		return
	}
	s.hist(histIndex(o.Kind, stage)).Record(d)
	if !r.measured(o.Due) {
		return
	}
	kind := r.cell.Latency[o.Kind.String()]
	if kind == nil {
		kind = make(map[string]*Hist)
		r.cell.Latency[o.Kind.String()] = kind
	}
	h := kind[stage.String()]
	if h == nil {
		h = NewHist()
		kind[stage.String()] = h
	}
	h.Record(d)
	r.cell.Urgency.record(o, stage, d)
}

// measured reports whether operations due at the given time count.
func (r *CellRecorder) measured(due time.Duration) bool {
	return due-r.config.Origin >= r.cell.Load.Warmup
}

// Close takes in the last of what was recorded and completes the cell, whose
// faults must be set by then. It returns the first error of writing.
func (r *CellRecorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gather()
	for len(r.seconds) > 0 {
		r.closeSecond()
	}
	for _, f := range r.cell.Faults {
		if !f.Absent && f.Heal >= f.Begin {
			r.account.healed(r.config.Origin + f.Heal)
		}
	}
	r.account.close()
	r.closeHeard()
	r.closePayloads()
	r.cell.Accounting = r.account.sums
	if r.line != nil {
		r.cell.Timeline = r.line.close()
		r.cell.recoveries()
		r.cell.Windows = r.account.windows.close(r.cell.Load.Warmup, r.cell.Faults)
	}
	r.keep(r.history.close(r.cell, r.issued.Load()))
	r.flush()
	return r.err
}

// An openSecond is a second that operations may still be added to.
type openSecond struct {
	counts Counts
	hists  [int(numKinds)*int(numStages) + 1]*Hist
}

const lagHist = int(numKinds) * int(numStages)

func histIndex(k Kind, s Stage) int { return int(k)*int(numStages) + int(s) }

func (s *openSecond) hist(i int) *Hist {
	if s.hists[i] == nil {
		s.hists[i] = NewCoarseHist()
	}
	return s.hists[i]
}

// secondOf returns the second that operations due at the given time belong to.
// Seconds that have been written are not opened again: what comes for them
// later is only in the cell's own histograms.
func (r *CellRecorder) secondOf(due time.Duration) *openSecond {
	at := max(int((due-r.config.Origin)/time.Second), r.closed)
	s := r.seconds[at]
	if s == nil {
		if n := len(r.spare); n > 0 {
			s, r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			s = new(openSecond)
		}
		r.seconds[at] = s
	}
	return s
}

// closeSecond writes the oldest open second.
func (r *CellRecorder) closeSecond() {
	s := r.seconds[r.closed]
	delete(r.seconds, r.closed)
	if s == nil {
		s = new(openSecond)
	}
	sec := writtenSecond{
		Second: Second{At: r.closed, Phase: "measured", Counts: s.counts}, Hists: make(map[string]string),
	}
	if !r.measured(r.config.Origin + time.Duration(r.closed)*time.Second) {
		sec.Phase = "warmup"
	}
	for _, k := range Kinds() {
		for _, st := range Stages() {
			if h := s.hists[histIndex(k, st)]; h != nil && h.N() > 0 {
				sec.Hists[k.String()+"/"+st.String()] = r.encode(h)
			}
		}
	}
	if h := s.hists[lagHist]; h != nil && h.N() > 0 {
		sec.Hists["send_lag"] = r.encode(h)
	}
	r.writeLine(writtenLine{Second: &sec})
	r.flush()
	r.closed++
	s.counts = Counts{}
	for _, h := range s.hists {
		if h != nil {
			h.Reset()
		}
	}
	r.spare = append(r.spare, s)
}

// A writtenSecond is a [Second] as it is written, with its histograms encoded.
type writtenSecond struct {
	Second
	Hists map[string]string `json:"hists"` // instead of the other
}

func (r *CellRecorder) encode(h *Hist) string {
	s, err := r.encoder.encode(h)
	r.keep(err)
	return s
}

// A line is one line of a cell's file of seconds.
type line struct {
	Second *Second `json:"second,omitempty"`
	Event  *Event  `json:"event,omitempty"`
}

// A writtenLine is a [line] with the histograms of its second encoded.
type writtenLine struct {
	Second *writtenSecond `json:"second,omitempty"`
	Event  *Event         `json:"event,omitempty"`
}

func (r *CellRecorder) writeLine(l any) {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = r.out.Write(append(b, '\n'))
	}
	r.keep(err)
}

func (r *CellRecorder) flush() {
	r.keep(r.out.Flush())
	r.keep(r.history.flush())
}

func (r *CellRecorder) keep(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("record cell %s: %w", r.cell.ID, err)
	}
}
