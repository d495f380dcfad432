package flows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/flows/transcript"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
	"flowbench/sim/edge/modeledge"
)

// The world of transcripts: small, and without chance. There are two clients, so
// that one sees what reaches those whom it does not concern, and two instances of
// the service, so that one can die.
const (
	ms        = time.Millisecond
	hop       = 100 * time.Microsecond // each way of each link, and what the broker takes for a message
	clients   = 2
	patience  = 20 * ms
	aftermath = 100 * ms // how long the world is watched when the client knows the outcome

	commandTime = 3 * ms
	queryTime   = 1 * ms
	statusTime  = 500 * time.Microsecond
	slowTime    = 30 * ms // more than the client's patience
)

func settings() flows.Settings {
	return flows.Settings{
		Instances: 2, Workers: 2, Timeout: patience,
		Polling:   flows.Polling{Interval: 1 * ms, Backoff: 2, Max: 8 * ms},
		FrontEnds: 1, Subscribers: 2,
	}
}

// An episode is one operation and how it goes.
type episode struct {
	kind   flows.Kind
	urgent bool
	trouble
}

func (e episode) story() string {
	if e.urgent {
		return string(e.trouble) + ", urgent"
	}
	return string(e.trouble)
}

// episodes returns what the transcript of a flow tells: a command and a query
// that are done, and each with every trouble that the parts of the world can
// give which the flow uses.
func episodes(spec flows.Spec) []episode {
	stories := []trouble{none, denial, crash, slowness}
	if spec.Uses.Has(flows.UsesBroker) {
		stories = append(stories, lostConfirm, brokerAway)
	}
	if spec.Uses.Has(flows.UsesEdge) {
		stories = append(stories, nobody)
	}
	var told []episode
	for _, kind := range []flows.Kind{flows.Command, flows.Query} {
		for _, story := range stories {
			told = append(told, episode{kind: kind, trouble: story})
			if story == none && spec.Needs.Has(flows.Priorities) {
				told = append(told, episode{kind: kind, trouble: story, urgent: true})
			}
		}
	}
	return told
}

// record returns the transcript of a flow.
func record(ctx context.Context, flow flows.Flow) (transcript.Transcript, error) {
	t := transcript.Transcript{Flow: flow.Spec().Name}
	for _, e := range episodes(flow.Spec()) {
		r := newRecorder(des.New(), e.trouble)
		if err := r.perform(ctx, flow, e); err != nil {
			return t, fmt.Errorf("%s: %v, %s: %w", t.Flow, e.kind, e.story(), err)
		}
		t.Participants = r.participants(t.Participants)
		t.Episodes = append(t.Episodes, transcript.Episode{Kind: e.kind.String(), Story: e.story(), Steps: r.steps})
	}
	return t, nil
}

// perform performs one episode in a world of its own.
func (r *recorder) perform(ctx context.Context, flow flows.Flow, e episode) error {
	var failed error
	err := r.kernel.Run(ctx, func(ctx context.Context) { failed = r.live(ctx, flow, e) })
	return errors.Join(failed, err)
}

func (r *recorder) live(ctx context.Context, flow flows.Flow, e episode) error {
	env, session, err := r.env(ctx, flow.Spec())
	if err != nil {
		return err
	}
	server, err := flow.Listen(ctx, env)
	if err != nil {
		return err
	}
	life, stop := r.kernel.WithCancel(ctx)
	defer stop()
	var served error
	ended := r.kernel.Go(life, func(ctx context.Context) { served = server.Serve(ctx) })
	var all []flows.Client
	for id := range clients {
		env.Runtime = pausing{r.kernel, r, fmt.Sprintf("client-%d", id)}
		c, err := flow.Dial(life, env, id)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	if err := r.kernel.Sleep(ctx, aftermath); err != nil { // until all that was set up is known to all
		return err
	}
	r.start()
	r.do(life, all[0], e)
	err = r.kernel.Sleep(ctx, aftermath)
	r.stop()
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	stop()
	return errors.Join(err, ended(ctx), served, session.Close(ctx))
}

// do has a client perform the operation of the episode.
func (r *recorder) do(ctx context.Context, c flows.Client, e episode) {
	var body []byte
	if e.kind == flows.Command {
		body = []byte("value")
	}
	op := flows.NewOp(r.kernel, 1, e.kind, "k1", body)
	op.Urgent = e.urgent
	op.Notice = func(s flows.Stage) {
		if s == flows.Accepted {
			r.note("client-0", "knows it is accepted")
		}
	}
	op.Reach(flows.Started)
	ctx, cancel := r.kernel.WithTimeout(ctx, patience)
	defer cancel()
	text := outcomeOf(c.Do(ctx, op))
	switch {
	case text != "ok":
	case op.At(flows.Answered) > 0:
		text += ", answered"
	default:
		text += ", accepted"
	}
	r.step(transcript.Outcome, "client-0", "", text)
}

// env returns the world with the recorder before it.
func (r *recorder) env(ctx context.Context, spec flows.Spec) (flows.Env, broker.Session, error) {
	driver := modelbroker.Driver(r.kernel, 1)
	params, err := paramsFor(driver, spec.Needs)
	if err != nil {
		return flows.Env{}, nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	session, err := driver.Open(ctx, broker.Config{
		Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {}, Log: quiet,
	})
	if err != nil {
		return flows.Env{}, nil, err
	}
	return flows.Env{
		Runtime:  r.kernel,
		Broker:   recordedBroker{session, r},
		Edge:     recordedEdge{modeledge.New(r.kernel, modeledge.Config{Link: des.Constant(hop), Seed: 1}), r},
		Service:  &recordedService{r: r, settled: make(map[uint64]flows.Status)},
		Settings: settings(), Log: quiet,
		Stray: r.stray, Heard: func(uint64, int) {}, // the delivery that it stands for is noted
		Redelivered: func(uint64) { r.again++ }, // and so is this one
	}, session, nil
}

// paramsFor returns the parameters of a broker without chance that offers what a
// flow needs: the defaults, or one choice away from them.
func paramsFor(d broker.Driver, needs flows.Traits) (broker.Params, error) {
	params := d.Defaults()
	µs := fmt.Sprint(hop.Microseconds())
	params["link"], params["link_us"], params["service"], params["service_us"] = "constant", µs, "constant", µs
	if d.Traits(params).Has(needs) {
		return params, nil
	}
	for _, p := range d.Params {
		for _, value := range slices.Backward(p.Values) {
			other := maps.Clone(params)
			if other[p.Name] = value; d.Traits(other).Has(needs) {
				return other, nil
			}
		}
	}
	return nil, fmt.Errorf("the model of the broker does not offer: %v", needs)
}

// pausing is the runtime of one client: it notes the client's pauses.
type pausing struct {
	*des.Kernel

	r    *recorder
	name string
}

// Sleep implements [flows.Runtime].
func (p pausing) Sleep(ctx context.Context, d time.Duration) error {
	p.r.note(p.name, "waits "+inWords(d))
	return p.Kernel.Sleep(ctx, d)
}

// recordedService is a service with constant service times. A status request is
// quicker than a command, so that there is something pending to be told of.
type recordedService struct {
	r       *recorder
	settled map[uint64]flows.Status
}

// Handle implements [flows.Service].
func (s *recordedService) Handle(
	ctx context.Context, instance int, req flows.Request,
) (flows.Response, error) {
	name, what := fmt.Sprintf("service-%d", instance), requestOf(req.Kind, req.ID)
	if err := s.r.kernel.Sleep(ctx, s.takes(req.Kind)); err != nil {
		s.r.note(name, "gives up "+what)
		return flows.Response{}, fmt.Errorf("work on %v: %w", req.Kind, err)
	}
	if req.Kind == flows.StatusOf {
		status, ok := s.settled[req.ID]
		if !ok {
			status = flows.Pending
		}
		return flows.Response{Status: status}, nil
	}
	if s.r.trouble == crash && !s.r.troubled {
		s.r.troubled = true
		return flows.Response{}, s.die(ctx, name, what)
	}
	status := flows.Done
	if s.r.trouble == denial {
		status = flows.Denied
		s.r.note(name, "refuses "+what)
	} else {
		s.r.note(name, "has done "+what)
	}
	s.settled[req.ID] = status
	return flows.Response{Status: status, Body: []byte("result")}, nil
}

func (s *recordedService) takes(k flows.Kind) time.Duration {
	switch {
	case k == flows.StatusOf:
		return statusTime
	case s.r.trouble == slowness:
		return slowTime
	case k == flows.Query:
		return queryTime
	}
	return commandTime
}

// die ends an instance: its connection to the broker ends with it, and whoever
// has called it sees the connection cut.
func (s *recordedService) die(ctx context.Context, name, work string) error {
	s.r.dead = name
	s.r.note(name, "dies at work on "+work)
	for _, c := range s.r.conns[name] {
		// It takes a round trip to close, for which the dead do not wait.
		s.r.kernel.Go(ctx, func(context.Context) { _ = c.Close() })
	}
	return flows.Unknown(flows.Disconnected, errTrouble)
}
