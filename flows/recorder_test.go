package flows_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/flows/transcript"
	"flowbench/sim/des"
)

// A recorder stands between a flow and its world, and notes who tells whom what.
// It belongs to one kernel, so that nothing runs beside anything else.
//
// What a flow sends is noted when it sends it, and what it gets from a broker or
// a balancer when it gets it: there is nobody to ask in between.
type recorder struct {
	kernel *des.Kernel
	trouble

	on       bool
	origin   time.Duration
	steps    []transcript.Step
	conns    map[string][]*recordedConn // by name
	inboxes  map[string]string          // who reads them, by address
	parts    []*part
	receiver string // who received a message last
	troubled bool   // the trouble has come, if it is one that comes once
	dead     string // the instance of the service that has died
	again    int    // how often the flow told of a request that came again
}

// A trouble is what goes wrong in an episode.
type trouble string

// The troubles. The broker that is away is so for clients and front ends, and who
// does not listen is whoever clients call. An instance dies once and a confirm is
// lost once; all else lasts.
const (
	none        trouble = "done"
	denial      trouble = "the service refuses"
	crash       trouble = "the instance at work dies"
	slowness    trouble = "the answer comes too late"
	lostConfirm trouble = "the confirm is lost"
	brokerAway  trouble = "the broker is away"
	nobody      trouble = "nobody listens"
)

const brokerName = "broker"

func newRecorder(k *des.Kernel, t trouble) *recorder {
	return &recorder{
		kernel: k, trouble: t, conns: make(map[string][]*recordedConn), inboxes: make(map[string]string),
	}
}

// start begins the record: what went before was setting up.
func (r *recorder) start() { r.on, r.origin = true, r.kernel.Now() }

// stop ends the record: what follows is taking down.
func (r *recorder) stop() { r.on = false }

func (r *recorder) step(form transcript.Form, from, to, text string) {
	if r.on {
		at := r.kernel.Now() - r.origin
		r.steps = append(r.steps, transcript.Step{At: at, Form: form, From: from, To: to, Text: text})
	}
}

func (r *recorder) tell(from, to, text string)  { r.step(transcript.Telling, from, to, text) }
func (r *recorder) reply(from, to, text string) { r.step(transcript.Reply, from, to, text) }
func (r *recorder) lose(from, to, text string)  { r.step(transcript.Lost, from, to, text) }
func (r *recorder) note(who, text string)       { r.step(transcript.Note, who, "", text) }

// stray notes that an answer came that nobody waits for.
func (r *recorder) stray(op uint64) {
	r.note(r.receiver, fmt.Sprintf("nobody waits for this answer to operation %d", op))
}

// participants returns everybody who was noted: clients on the left, then what
// they go through, then the service, then who else listens.
func (r *recorder) participants(into []string) []string {
	for _, s := range r.steps {
		for _, name := range []string{s.From, s.To} {
			if name != "" && !slices.Contains(into, name) {
				into = append(into, name)
			}
		}
	}
	slices.SortStableFunc(into, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.place(a), r.place(b)), strings.Compare(a, b))
	})
	return into
}

func (r *recorder) place(name string) int {
	isBackend := func(p *part) bool { return slices.Contains(p.backends, name) }
	switch {
	case strings.HasPrefix(name, "client"):
		return 0
	case strings.HasPrefix(name, balancerName):
		return 1
	case strings.HasPrefix(name, "service"):
		return 4
	case name == brokerName:
		return 3
	case slices.ContainsFunc(r.parts, isBackend):
		return 2
	}
	return 5
}

// requestOf says in words what is asked for.
func requestOf(kind flows.Kind, op uint64) string {
	if kind == flows.StatusOf {
		return fmt.Sprintf("status request on command %d", op)
	}
	return fmt.Sprintf("%v %d", kind, op)
}

// answerTo says in words whose answer it is.
func answerTo(kind flows.Kind, op uint64) string {
	if kind == flows.StatusOf {
		return fmt.Sprintf("status of command %d", op)
	}
	return fmt.Sprintf("answer to %v %d", kind, op)
}

// inWords writes a pause.
func inWords(d time.Duration) string { return fmt.Sprintf("%g ms", float64(d)/float64(ms)) }

// outcomeOf says in words what an error tells.
func outcomeOf(err error) string {
	outcome, class := flows.OutcomeOf(err)
	if class == "" {
		return outcome.String()
	}
	return fmt.Sprintf("%v, %s", outcome, class)
}
