package flows_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
	"flowbench/sim/service"
	"flowbench/sim/store"
	"flowbench/sim/store/modelstore"
)

// A depot is a world in which payloads travel by reference, to the very service
// that runs have.
type depot struct {
	t        *testing.T
	kernel   *des.Kernel
	carriage flows.Carriage
	params   broker.Params
	settings flows.Settings
	told     map[flows.CarryingEvent]int
	ledger   []results.Applied
	session  broker.Session
	store    *hurtStore
	clients  []flows.Client
	wrap     func(flows.Service) flows.Service

	// meddle may change a message that is published, or have it lost.
	meddle func(m *flows.Message) (lost bool)
}

const (
	referenceOver = 100
	expiry        = 8 * time.Second
)

func newDepot(t *testing.T) *depot {
	d := &depot{
		t: t, kernel: des.New(), params: broker.Params{"ack_wait_ms": "500"}, settings: settings(),
		told: make(map[flows.CarryingEvent]int), meddle: func(*flows.Message) bool { return false },
		carriage: flows.Carriage{
			Mode: flows.Reference, Over: referenceOver, MaxBytes: large, Expiry: expiry, Abandon: 2 * time.Second,
		},
	}
	d.settings.Timeout = 4 * time.Second
	d.carriage.Tell = func(c flows.Carrying) { d.told[c.Event]++ }
	d.store = &hurtStore{kernel: d.kernel}
	d.wrap = func(s flows.Service) flows.Service { return s }
	return d
}

// play runs body in the world, with two clients of the flow, and takes it down.
func (d *depot) play(flow flows.Flow, body func(ctx context.Context)) {
	d.t.Helper()
	err := d.kernel.Run(d.t.Context(), func(ctx context.Context) {
		if err := d.live(ctx, flow, body); err != nil {
			d.t.Error(err)
		}
	})
	if err != nil {
		d.t.Error(err)
	}
}

func (d *depot) live(ctx context.Context, flow flows.Flow, body func(ctx context.Context)) error {
	k, quiet := d.kernel, slog.New(slog.DiscardHandler)
	model := modelbroker.Driver(k, 1)
	params := model.Defaults()
	maps.Copy(params, d.params)
	session, err := model.Open(ctx, broker.Config{
		Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {}, Log: quiet,
	})
	if err != nil {
		return err
	}
	d.session = session
	d.store.Session, err = modelstore.Open(k, modelstore.Config{Link: des.Constant(ms), BytesPerS: 1e8},
		store.Config{Prefix: "t", MaxBytes: 1 << 30, Meter: &store.Meter{}})
	if err != nil {
		return err
	}
	env := flows.Env{
		Runtime: k, Broker: meddling{session, d}, Edge: &toyEdge{kernel: k}, Store: d.store,
		Service: service.New(k, service.Config{
			Service: scenarios.Service{
				Instances: d.settings.Instances, Workers: d.settings.Workers, Idempotent: true,
				Time: scenarios.ServiceTime{Distribution: scenarios.ConstantTime, Mean: scenarios.Duration(ms)},
			},
			Keys: 4, PayloadBytes: large, Seed: 1, Applied: func(a results.Applied) { d.ledger = append(d.ledger, a) },
		}),
		Settings: d.settings, Log: quiet, Stray: func(uint64) {}, Heard: func(uint64, int) {},
	}
	env.Service = d.wrap(env.Service)
	referenced := flows.Carried(flow, d.carriage)
	server, err := referenced.Listen(ctx, env)
	if err != nil {
		return err
	}
	life, stop := k.WithCancel(ctx)
	defer stop()
	var served error
	ended := k.Go(life, func(ctx context.Context) { served = server.Serve(ctx) })
	for id := range clients {
		c, err := referenced.Dial(life, env, id)
		if err != nil {
			return err
		}
		d.clients = append(d.clients, c)
	}
	body(ctx)
	for _, c := range d.clients {
		err = errors.Join(err, c.Close())
	}
	stop()
	return errors.Join(err, ended(ctx), served, session.Close(ctx))
}

// do has a client perform an operation, and says what the store had been asked for
// when it was answered.
func (d *depot) do(ctx context.Context, id uint64, kind flows.Kind, size int) (op *flows.Op, asked int, err error) {
	var body []byte
	if kind == flows.Command {
		body = service.NewPayload(id, size)
	}
	op = flows.NewOp(d.kernel, id, kind, "k1", body)
	op.Notice = func(s flows.Stage) {
		if s == flows.Answered {
			asked = len(d.store.asked)
		}
	}
	op.Reach(flows.Started)
	ctx, cancel := d.kernel.WithTimeout(ctx, d.settings.Timeout)
	defer cancel()
	err = d.clients[int(id)%len(d.clients)].Do(ctx, op)
	return op, asked, err
}

// applied returns how often a command was applied, refused and recognized.
func (d *depot) applied(op uint64) (applied, refused, repeated int) {
	for _, a := range d.ledger {
		switch {
		case a.Op != op:
		case a.Refused:
			refused++
		case a.Repeated:
			repeated++
		case a.Corrupt:
			d.t.Errorf("what was applied of command %d is not what was sent", op)
		default:
			applied++
		}
	}
	return applied, refused, repeated
}

// wantApplied compares what became of a command.
func (d *depot) wantApplied(op uint64, applied, refused, repeated int) {
	d.t.Helper()
	a, r, again := d.applied(op)
	if a != applied || r != refused || again != repeated {
		d.t.Errorf("command %d was applied %d times, refused %d, recognized %d; want %d, %d, %d",
			op, a, r, again, applied, refused, repeated)
	}
}

// wantTold compares what was told of payloads.
func (d *depot) wantTold(want map[flows.CarryingEvent]int) {
	d.t.Helper()
	if !maps.Equal(d.told, want) {
		d.t.Errorf("told of payloads: %v; want %v", d.told, want)
	}
}

// wantOutcome compares how an operation ended.
func wantOutcome(t *testing.T, err error, outcome flows.Outcome, class flows.Class) {
	t.Helper()
	if o, c := flows.OutcomeOf(err); o != outcome || c != class {
		t.Errorf("it ended %v (%s): %v; want %v (%s)", o, c, err, outcome, class)
	}
}

// A hurtStore is a store that can be hurt, and that remembers what it was asked.
type hurtStore struct {
	store.Session
	kernel *des.Kernel
	asked  []string
	fail   func(request string) error // of "put", "get" and "delete"; nil for nothing
	breaks []int                      // after so many bytes the next transfers break off
}

// Connect implements [flows.Store].
func (s *hurtStore) Connect(ctx context.Context, name string) (flows.Objects, error) {
	o, err := s.Session.Connect(ctx, name)
	return hurtObjects{o, s}, err
}

type hurtObjects struct {
	flows.Objects
	store *hurtStore
}

func (o hurtObjects) ask(request string, from int64) error {
	o.store.asked = append(o.store.asked, fmt.Sprintf("%s %d", request, from))
	if o.store.fail == nil {
		return nil
	}
	return o.store.fail(request)
}

// Put implements [flows.Objects].
func (o hurtObjects) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	if err := o.ask("put", 0); err != nil {
		return "", err
	}
	return o.Objects.Put(ctx, name, size, body)
}

// Get implements [flows.Objects].
func (o hurtObjects) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	if err := o.ask("get", part.From); err != nil {
		return nil, err
	}
	body, err := o.Objects.Get(ctx, uri, part)
	if err == nil && len(o.store.breaks) > 0 {
		n := o.store.breaks[0]
		o.store.breaks = o.store.breaks[1:]
		body = breaking{io.LimitReader(body, int64(n)), body}
	}
	return body, err
}

// Delete implements [flows.Objects].
func (o hurtObjects) Delete(ctx context.Context, uri string) error {
	if err := o.ask("delete", 0); err != nil {
		return err
	}
	return o.Objects.Delete(ctx, uri)
}

// breaking is a transfer that breaks off.
type breaking struct {
	io.Reader
	io.Closer
}

var errBroken = flows.Fail(flows.Disconnected, errors.New("the transfer broke off"))

// Read implements [io.Reader].
func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

// down is a store that takes no connections until a time.
func (d *depot) down(to time.Duration) func(string) error {
	return func(string) error {
		if d.kernel.Now() < to {
			return flows.Fail(flows.Refused, errors.New("connection refused"))
		}
		return nil
	}
}

// meddling is a broker some of whose messages are changed or lost.
type meddling struct {
	flows.Broker
	depot *depot
}

// Connect implements [flows.Broker].
func (b meddling) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c, err := b.Broker.Connect(ctx, name)
	return meddlingConn{c, b.depot}, err
}

type meddlingConn struct {
	flows.Conn
	depot *depot
}

// Publish implements [flows.Conn].
func (c meddlingConn) Publish(ctx context.Context, m flows.Message) error {
	if len(m.Body) > referenceOver+1 {
		c.depot.t.Errorf("a message of %d bytes is sent", len(m.Body))
	}
	if c.depot.meddle(&m) {
		return nil
	}
	return c.Conn.Publish(ctx, m)
}

func TestByReferencePayloadsArriveEqualAndAreDeleted(t *testing.T) {
	brokers := map[string]broker.Params{
		"at least once": {}, "durable": {"durable": "yes", "dedup_ms": "60000", "order": "urgent-first"},
		"at most once": {"delivery": "at-most-once", "confirm": "none"},
	}
	for name, params := range brokers {
		for _, flow := range carried() {
			t.Run(name+"/"+flow.Spec().Name, func(t *testing.T) {
				d := newDepot(t)
				d.params = params
				d.play(flow, func(ctx context.Context) { d.perform(ctx, flow) })
				if d.told[flows.Dangled]+d.told[flows.Foreign]+d.told[flows.Orphaned] > 0 ||
					d.told[flows.Stored] != d.told[flows.Deleted] || d.told[flows.Stored] != d.told[flows.Fetched] {
					t.Errorf("told of payloads: %v; want each stored, fetched and deleted", d.told)
				}
			})
		}
	}
}

// perform performs commands of several sizes and a query after each, and checks
// what came of it.
func (d *depot) perform(ctx context.Context, flow flows.Flow) {
	t := d.t
	for i, size := range []int{20, referenceOver, referenceOver + 1, large} {
		id := uint64(2*i + 1)
		before := len(d.store.asked)
		op, asked, err := d.do(ctx, id, flows.Command, size)
		wantOutcome(t, err, flows.OK, "")
		brought := op.At(flows.Answered) > 0
		if of, intact := service.CheckPayload(op.Answer); brought && (of != id || !intact || len(op.Answer) > 20) {
			t.Errorf("the receipt of command %d is %d bytes of command %d", id, len(op.Answer), of)
		}
		want := "put 0 get 0 delete 0"
		if !brought {
			_ = d.kernel.Sleep(ctx, 100*ms)
			want = "put 0 get 0" // it expires
		}
		if size <= referenceOver {
			want = ""
		}
		if got := strings.Join(d.store.asked[before:], " "); got != want {
			t.Errorf("for a command of %d bytes the store was asked %q; want %q", size, got, want)
		}
		if brought && asked != before+min(2, len(d.store.asked)-before) {
			t.Errorf("answered after %d requests to the store; want it before the object is deleted", asked-before)
		}
		d.wantApplied(id, 1, 0, 0)

		before = len(d.store.asked)
		query, asked, err := d.do(ctx, id+1, flows.Query, 0)
		wantOutcome(t, err, flows.OK, "")
		if !bytes.Equal(query.Answer, op.Body) {
			t.Errorf("the query after a command of %d bytes brought %d bytes, or others", size, len(query.Answer))
		}
		if got := d.store.asked[before:]; size > referenceOver &&
			(!slices.Equal(got, []string{"put 0", "get 0", "delete 0"}) || asked != before+2) {
			t.Errorf("for a query the store was asked %q, %d of it before it was answered", got, asked-before)
		}
	}
	_ = d.kernel.Sleep(ctx, 2*expiry)
	if _, ok := flow.(flows.Async); ok && flow.Spec().Name == "async-no-reply" && d.told[flows.Deleted] < 4 {
		t.Errorf("told of payloads: %v; want what no answer was brought of deleted when it expired", d.told)
	}
}

func TestALostMessageLeavesOneOrphan(t *testing.T) {
	for name, wait := range map[string]time.Duration{"when it expires": 2 * expiry, "when the run ends": 0} {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t)
			d.settings.Timeout = 100 * ms
			d.meddle = func(m *flows.Message) bool { return m.Kind == flows.Command }
			d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
				_, _, err := d.do(ctx, 1, flows.Command, large)
				wantOutcome(t, err, flows.Undecided, flows.Timeout)
				_ = d.kernel.Sleep(ctx, wait)
			})
			want := map[flows.CarryingEvent]int{flows.Stored: 1, flows.Orphaned: 1}
			if wait > 0 {
				want[flows.Deleted] = 1
			}
			d.wantTold(want)
			d.wantApplied(1, 0, 0, 0)
		})
	}
}

func TestAnObjectThatCannotBeDeletedIsOneOrphan(t *testing.T) {
	d := newDepot(t)
	d.settings.Timeout = 100 * ms
	d.meddle = func(m *flows.Message) bool { return m.Kind == flows.Command }
	d.store.fail = func(request string) error {
		if request == "delete" {
			return errBroken
		}
		return nil
	}
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		_, _, _ = d.do(ctx, 1, flows.Command, large)
		_ = d.kernel.Sleep(ctx, 3*expiry)
	})
	d.wantTold(map[flows.CarryingEvent]int{flows.Stored: 1, flows.Orphaned: 1})
}

// TestAnObjectThatCouldNotBeDeletedIsDeletedLater has the store down when the client
// is done and when the object expires.
func TestAnObjectThatCouldNotBeDeletedIsDeletedLater(t *testing.T) {
	d := newDepot(t)
	d.store.fail = func(request string) error {
		if request == "delete" {
			return d.down(2 * expiry)("")
		}
		return nil
	}
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		_, _, err := d.do(ctx, 1, flows.Command, large)
		wantOutcome(t, err, flows.OK, "")
		_ = d.kernel.Sleep(ctx, 3*expiry)
	})
	d.wantTold(map[flows.CarryingEvent]int{flows.Stored: 1, flows.Fetched: 1, flows.Deleted: 1})
}

// TestACommandWhosePayloadWillNotComeIsRefused has messages carry addresses that
// lead to nothing. What is none of the store's is asked of nobody.
func TestACommandWhosePayloadWillNotComeIsRefused(t *testing.T) {
	tests := map[string]struct {
		body  func(d *depot, body []byte) []byte
		event flows.CarryingEvent // none if the body is no address
		gets  int
	}{
		"deleted before": {func(d *depot, body []byte) []byte {
			if err := d.store.Close(context.Background()); err != nil { // which deletes all objects
				d.t.Error(err)
			}
			return body
		}, flows.Dangled, 1},
		"another store's":   {moved("http://127.0.0.1:1/t.1-1"), flows.Foreign, 1},
		"another session's": {moved("model:u.1-1"), flows.Foreign, 1},
		"dots":              {moved("model:t.1-1/../../u.1"), flows.Foreign, 1},
		"a file's":          {moved("file:///etc/passwd"), flows.Foreign, 1},
		"no text":           {moved("\x00\xff"), flows.Foreign, 1},
		"no address":        {func(*depot, []byte) []byte { return []byte{1, 2, 3} }, "", 0},
		"an empty address":  {moved(""), "", 0},
		"of no known kind":  {func(*depot, []byte) []byte { return []byte{7, 2, 3} }, "", 0},
		"too large": {func(d *depot, body []byte) []byte {
			return flows.Address(string(body[9:]), d.carriage.MaxBytes+1)
		}, "", 0},
		"of no size": {func(_ *depot, body []byte) []byte {
			return flows.Address(string(body[9:]), -1)
		}, "", 0},
	}
	for name, tt := range tests {
		for _, flow := range []flows.Flow{flows.Async{Reply: flows.ReplyTo}, flows.Proxy{Mode: flows.ProxyAsync}} {
			t.Run(name+"/"+flow.Spec().Name, func(t *testing.T) {
				d := newDepot(t)
				d.meddle = func(m *flows.Message) bool {
					if m.Kind == flows.Command && m.Subject == "requests" {
						m.Body = tt.body(d, m.Body)
					}
					return false
				}
				gets := 0
				d.play(flow, func(ctx context.Context) {
					_, _, err := d.do(ctx, 1, flows.Command, large)
					wantOutcome(t, err, flows.Failed, flows.Rejected)
					for _, request := range d.store.asked {
						if strings.HasPrefix(request, "get") {
							gets++
						}
					}
				})
				d.wantApplied(1, 0, 1, 0)
				if gets != tt.gets || tt.event != "" && d.told[tt.event] != 1 ||
					d.told[flows.Dangled]+d.told[flows.Foreign] != tt.gets || d.told[flows.Fetched] != 0 {
					t.Errorf("the store was asked %q, and told were %v", d.store.asked, d.told)
				}
			})
		}
	}
}

// moved puts another address in the place of one.
func moved(uri string) func(*depot, []byte) []byte {
	return func(*depot, []byte) []byte { return flows.Address(uri, large) }
}

func TestAnAddressAloneAsksNobodyForWhatIsNotTheStores(t *testing.T) {
	d := newDepot(t)
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		o, err := d.store.Session.Connect(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		before := d.kernel.Now()
		_, err = o.Get(ctx, "http://127.0.0.1:1/t.1-1", flows.Span{})
		if !errors.Is(err, flows.ErrForeign) || d.kernel.Now() != before {
			t.Errorf("it took %v and ended with %v; want no time and that it is foreign", d.kernel.Now()-before, err)
		}
	})
}

func TestTheServiceWaitsForAStoreThatIsDownForAWhile(t *testing.T) {
	for _, flow := range carried() {
		t.Run(flow.Spec().Name, func(t *testing.T) {
			d := newDepot(t)
			d.params["ack_wait_ms"] = "0"
			d.store.fail = func(request string) error {
				if request == "get" {
					return d.down(1500 * ms)("")
				}
				return nil
			}
			d.play(flow, func(ctx context.Context) {
				_, _, err := d.do(ctx, 1, flows.Command, large)
				wantOutcome(t, err, flows.OK, "")
				_ = d.kernel.Sleep(ctx, 2*time.Second)
			})
			d.wantApplied(1, 1, 0, 0)
		})
	}
}

// TestAStoreThatStaysAwayHasTheCommandRefused outlasts the service's patience, which
// is less than the client's.
func TestAStoreThatStaysAwayHasTheCommandRefused(t *testing.T) {
	d := newDepot(t)
	d.params["ack_wait_ms"] = "0"
	d.store.fail = func(request string) error {
		if request == "get" {
			return d.down(time.Hour)("")
		}
		return nil
	}
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		op, _, err := d.do(ctx, 1, flows.Command, large)
		wantOutcome(t, err, flows.Failed, flows.Rejected)
		want := d.carriage.Abandon
		if took := d.kernel.Now() - op.At(flows.Started); took < want || took > want+100*ms {
			t.Errorf("it was refused after %v; want %v", took, want)
		}
	})
	d.wantApplied(1, 0, 1, 0)
	d.wantTold(map[flows.CarryingEvent]int{flows.Stored: 1, flows.Deleted: 1})
}

// TestAQueryWhoseAnswerCannotBeStoredHoldsUpNobody has the store take nothing for a
// while, longer than the service's patience or not. The broker delivers to each
// connection one message at a time and waits for its acknowledgement for ever.
func TestAQueryWhoseAnswerCannotBeStoredHoldsUpNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		down    time.Duration
		outcome flows.Outcome
		class   flows.Class
	}{
		"for a while": {1500 * ms, flows.OK, ""},
		"for long":    {time.Hour, flows.Failed, flows.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t)
			d.params = broker.Params{"ack_wait_ms": "0", "prefetch": "1"}
			d.settings.Instances, d.settings.Workers = 1, 1
			d.store.fail = func(request string) error {
				if request == "put" {
					return d.down(tt.down)("")
				}
				return nil
			}
			d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
				_, _, err := d.do(ctx, 1, flows.Query, 0)
				wantOutcome(t, err, tt.outcome, tt.class)
				_, _, err = d.do(ctx, 2, flows.Command, 20)
				wantOutcome(t, err, flows.OK, "")
				if n, _, err := d.session.Backlog(ctx); n != 0 || err != nil {
					t.Errorf("%d messages are left at the broker, %v", n, err)
				}
			})
			d.wantApplied(2, 1, 0, 0)
		})
	}
}

func TestABrokenTransferGoesOnWhereItWas(t *testing.T) {
	for _, kind := range []flows.Kind{flows.Command, flows.Query} {
		t.Run(kind.String(), func(t *testing.T) {
			d := newDepot(t)
			d.store.breaks = []int{1000, 0, 70_000}
			d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
				op, _, err := d.do(ctx, 1, kind, large)
				wantOutcome(t, err, flows.OK, "")
				// It pauses only before it asks again after nothing came.
				if took := op.At(flows.Answered) - op.At(flows.Started); took < 50*ms || took > 100*ms {
					t.Errorf("it took %v; want one pause of 50ms and little more", took)
				}
				if kind == flows.Query && !bytes.Equal(op.Answer, service.NewPayload(0, large)) {
					t.Errorf("the answer has %d bytes, or others", len(op.Answer))
				}
			})
			want := []string{"put 0", "get 0", "get 1000", "get 1000", "get 71000", "delete 0"}
			if !slices.Equal(d.store.asked, want) {
				t.Errorf("the store was asked %q; want %q", d.store.asked, want)
			}
			d.wantTold(map[flows.CarryingEvent]int{flows.Stored: 1, flows.Fetched: 1, flows.Deleted: 1})
		})
	}
}

// TestAnOperationWhosePayloadCannotBeStoredHasFailed says no to a Put in several
// ways. Nothing was sent, so nobody can have applied it: also when the time ended.
func TestAnOperationWhosePayloadCannotBeStoredHasFailed(t *testing.T) {
	tests := map[string]struct {
		fail  func(d *depot) func(string) error
		slow  bool
		class flows.Class
	}{
		"refused": {func(d *depot) func(string) error { return d.down(time.Hour) }, false, flows.Refused},
		"unclassed": {func(*depot) func(string) error {
			return func(string) error { return io.ErrUnexpectedEOF }
		}, false, flows.Internal},
		"unknown": {func(*depot) func(string) error {
			return func(string) error { return flows.Unknown(flows.Timeout, context.DeadlineExceeded) }
		}, false, flows.Timeout},
		"the operation's time ended": {func(*depot) func(string) error { return nil }, true, flows.Timeout},
	}
	for name, tt := range tests {
		for _, flow := range carried() {
			t.Run(name+"/"+flow.Spec().Name, func(t *testing.T) {
				d := newDepot(t)
				d.store.fail = tt.fail(d)
				if tt.slow {
					d.settings.Timeout = ms / 2 // less than the way to the store
				}
				d.play(flow, func(ctx context.Context) {
					op, _, err := d.do(ctx, 1, flows.Command, large)
					wantOutcome(t, err, flows.Failed, tt.class)
					if op.At(flows.Accepted)+op.At(flows.Answered) > 0 {
						t.Errorf("accepted at %v, answered at %v", op.At(flows.Accepted), op.At(flows.Answered))
					}
					_ = d.kernel.Sleep(ctx, time.Second)
				})
				if len(d.ledger) > 0 {
					t.Errorf("the service dealt with %v", d.ledger)
				}
				d.wantTold(map[flows.CarryingEvent]int{})
			})
		}
	}
}

// TestWhatComesAgainAfterItsObjectIsGoneIsRecognized delivers a command twice, the
// second time when the client has had its answer and deleted the payload.
func TestWhatComesAgainAfterItsObjectIsGoneIsRecognized(t *testing.T) {
	for _, deleted := range []bool{true, false} {
		t.Run(fmt.Sprint("deleted ", deleted), func(t *testing.T) {
			d := newDepot(t)
			var again *flows.Message
			d.meddle = func(m *flows.Message) bool {
				if m.Kind == flows.Command && m.Subject == "requests" {
					saved := *m
					saved.Body = bytes.Clone(m.Body)
					again = &saved
				}
				return false
			}
			d.store.fail = func(request string) error {
				if request == "delete" && !deleted {
					return errBroken
				}
				return nil
			}
			d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
				_, _, err := d.do(ctx, 1, flows.Command, large)
				wantOutcome(t, err, flows.OK, "")
				conn, err := d.session.Connect(ctx, "twice")
				if err == nil {
					err = conn.Publish(ctx, *again)
				}
				if err != nil {
					t.Fatal(err)
				}
				_ = d.kernel.Sleep(ctx, time.Second)
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
				if n, _, err := d.session.Backlog(ctx); n != 0 || err != nil {
					t.Errorf("%d messages are left at the broker, %v", n, err)
				}
			})
			d.wantApplied(1, 1, 0, 1)
			if deleted {
				d.wantTold(map[flows.CarryingEvent]int{
					flows.Stored: 1, flows.Fetched: 1, flows.Deleted: 1, flows.Dangled: 1,
				})
			}
		})
	}
}

// TestAnAnswerThatCannotBeFetchedIsUnknown meddles with what a query brings.
func TestAnAnswerThatCannotBeFetchedIsUnknown(t *testing.T) {
	tests := map[string]struct {
		body  []byte
		class flows.Class
	}{
		"foreign":   {flows.Address("file:///etc/passwd", large), flows.Rejected},
		"dangling":  {flows.Address("model:t.1-zz", large), flows.Rejected},
		"garbage":   {[]byte{9, 9}, flows.Corrupt},
		"too large": {flows.Address("model:t.1-1", large+1), flows.TooLarge},
		"huge":      {flows.Address("model:t.1-1", 1<<62), flows.TooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t)
			d.meddle = func(m *flows.Message) bool {
				if m.Correlation != 0 {
					m.Body = tt.body
				}
				return false
			}
			d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
				op, _, err := d.do(ctx, 1, flows.Query, 0)
				wantOutcome(t, err, flows.Undecided, tt.class)
				if op.At(flows.Answered) > 0 || op.Answer != nil {
					t.Errorf("it counts as answered, with %d bytes", len(op.Answer))
				}
			})
		})
	}
}

// TestAnObjectThatIsShorterThanItsAddressSaysIsCorrupt has addresses say more than
// there is. Nobody waits for bytes that cannot come.
func TestAnObjectThatIsShorterThanItsAddressSaysIsCorrupt(t *testing.T) {
	d := newDepot(t)
	d.meddle = func(m *flows.Message) bool {
		if len(m.Body) > 9 && m.Body[0] == 1 {
			m.Body = flows.Address(string(m.Body[9:]), large)
		}
		return false
	}
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		_, _, err := d.do(ctx, 1, flows.Command, large)
		wantOutcome(t, err, flows.OK, "")
		_, _, err = d.do(ctx, 3, flows.Command, large/2)
		wantOutcome(t, err, flows.Failed, flows.Rejected)
		if now := d.kernel.Now(); now > time.Second {
			t.Errorf("it took %v", now)
		}
	})
	d.wantApplied(3, 0, 1, 0)
}

// TestAReaderThatWantsNothingGetsNothing has whoever reads a payload ask for no
// bytes.
func TestAReaderThatWantsNothingGetsNothing(t *testing.T) {
	d := newDepot(t)
	d.wrap = func(s flows.Service) flows.Service { return wantsNothing{s, t} }
	d.play(flows.Async{Reply: flows.ReplyTo}, func(ctx context.Context) {
		_, _, err := d.do(ctx, 1, flows.Command, large)
		wantOutcome(t, err, flows.OK, "")
	})
}

type wantsNothing struct {
	flows.Service
	t *testing.T
}

// Handle implements [flows.Service].
func (s wantsNothing) Handle(ctx context.Context, instance int, r flows.Request) (flows.Response, error) {
	if n, err := r.Stream.Read(nil); n != 0 || err != nil {
		s.t.Errorf("a read of no bytes got %d, %v", n, err)
	}
	return s.Service.Handle(ctx, instance, r)
}
