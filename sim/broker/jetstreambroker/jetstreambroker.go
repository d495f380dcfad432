// Package jetstreambroker is the driver of NATS JetStream.
//
// Every subject has a stream of its own, made by the first subscriber. The
// subject of a group has a work queue: a stream that keeps each message until it
// is acknowledged, with a durable consumer that takes explicit acknowledgements.
// It serves one group; a second group on the same subject is an error. A publish
// is confirmed when the stream has stored it; a message id that the stream has
// seen within the window is not stored again.
//
// Subscribers without a group are core NATS subscriptions to their subject, whose
// stream, if no group made it, keeps nothing and is there to confirm. Inboxes are
// core NATS subscriptions as well: they are told what is published while they are connected
// and get nothing twice. The promises of redelivery and durability are those of
// groups.
//
// Acknowledgements are plain, not confirmed by the broker; a lost one means one
// more delivery. JetStream does not notice that a consumer has gone: what a
// closed subscription held is given back explicitly, and what a lost one held
// comes again after the time set by ack_wait_ms.
//
// Close deletes the streams. JetStream cannot expire a stream, but a killed run
// leaves no more than empty ones: consumers go after an hour without interest,
// messages after a day.
package jetstreambroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/natswire"
	"flowbench/sim/natsstream"
)

const (
	consumerUnusedMax = time.Hour
	messageAgeMax     = 24 * time.Hour
	ackPendingMax     = 1 << 16 // of all members of a group together
	apiPatience       = 5 * time.Second
)

// Driver describes the broker.
func Driver() broker.Driver {
	return broker.Driver{
		Name:       "jetstream",
		Summary:    "NATS JetStream: streams with confirms, acknowledgements and deduplication",
		Source:     broker.Embedded,
		MaxMessage: 1 << 20, // max_payload of a NATS server by default
		Server:     "nats",
		Params: append([]broker.Param{
			{Name: "storage", Summary: "where streams are kept", Default: "file", Values: []string{"file", "memory"}},
			{Name: "sync", Summary: "when writes are forced to disk: as the server is set, or before each confirm " +
				"(embedded only)",
				Default: "server", Values: []string{"server", "always"}},
			{Name: "prefetch", Summary: "messages that a subscription has on the way or waiting", Default: "50",
				Min: 1, Max: 10000},
			{Name: "replicas", Summary: "copies of each stream; more than one needs a " +
				"cluster", Default: "1", Min: 1, Max: 5},
			{Name: "ack_wait_ms", Summary: "after which an unacknowledged message comes again, in milliseconds",
				Default: "30000", Min: 100, Max: 3600000},
			{Name: "dedup_window_ms", Summary: "in which a repeated message id is recognized, in milliseconds",
				Default: "120000", Min: 100, Max: 3600000},
		}, natswire.Params()...),
		Traits: traits,
		Wants:  wants,
		Open:   open,
	}
}

// wants says what the embedded server must be set to.
func wants(p broker.Params) string {
	if p["sync"] == "always" {
		return "sync-always"
	}
	return ""
}

func traits(p broker.Params) flows.Traits {
	t := flows.Confirms | flows.Redelivers | flows.Ordered | flows.Dedups | flows.Buffers
	if p["storage"] == "file" {
		t |= flows.Durable
	}
	return t
}

type session struct {
	cfg     broker.Config
	space   *natswire.Space
	control *natswire.Conn
	js      jetstream.JetStream // over control

	mu     sync.Mutex
	groups map[string]map[string]struct{} // by stream: every group that was ever subscribed
}

func open(ctx context.Context, cfg broker.Config) (broker.Session, error) {
	s := &session{cfg: cfg, space: natswire.NewSpace(cfg.Prefix), groups: make(map[string]map[string]struct{})}
	control := cfg
	control.Meter, control.Notify = &broker.Meter{}, func(broker.Event) {} // it is no part of what is measured
	c, err := natswire.Connect(ctx, control, s.space, cfg.Prefix+"-control", nil)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s.control = c
	if s.js, err = jetstream.New(c.NC); err == nil {
		_, err = s.js.AccountInfo(ctx)
	}
	if n := cfg.Params.Int("replicas"); err == nil && n > 1 && c.NC.ConnectedClusterName() == "" {
		err = flows.Fail(flows.Rejected, fmt.Errorf("replicas is %d and the server is in no cluster; "+
			"set it to 1, or use a cluster, such as that of --broker-source nats=embedded:3", n))
	}
	if err != nil {
		_ = c.Close() // the error that counts is the one at hand
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
			err = flows.Fail(flows.Rejected, err)
		}
		return nil, fmt.Errorf("open session on %s: %w", broker.RedactedList(cfg.Addresses), err)
	}
	return s, nil
}

func (s *session) Traits() flows.Traits { return traits(s.cfg.Params) }

func (s *session) Version() string {
	return "NATS " + s.control.NC.ConnectedServerVersion() + " JetStream"
}

func (s *session) Guarantees() broker.Guarantees {
	p := s.cfg.Params
	g := broker.Guarantees{
		AckLevel:    "stored by the stream",
		Persistence: p["storage"],
		Fsync:       "the server's setting, every 2 min unless it says otherwise",
		Replicas:    p["replicas"],
		Prefetch:    p["prefetch"],
		Redelivery:  "plain acknowledgements; after " + p["ack_wait_ms"] + " ms, or when the subscription closes",
		Dedup:       "by message id within " + p["dedup_window_ms"] + " ms",
		Priority:    "none",
	}
	if p.Int("replicas") > 1 {
		g.AckLevel = "stored by a majority of the stream's replicas"
	}
	switch {
	case p["storage"] == "memory":
		g.Fsync = "none"
	case p["sync"] == "always":
		g.Fsync = "before each confirm"
	}
	return g
}

// Connect implements [flows.Broker].
func (s *session) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c := &conn{session: s, subs: make(map[*subscription]struct{})}
	link, err := natswire.Connect(ctx, s.cfg, s.space, name, c.restore)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	js, err := jetstream.New(link.NC)
	if err != nil {
		_ = link.Close() // the error that counts is the one at hand
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	c.mu.Lock()
	c.Conn, c.js = link, js
	c.mu.Unlock()
	return c, nil
}

// Queues implements [broker.Queues].
func (s *session) Queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.groups))
}

// Backlog implements [broker.Session].
func (s *session) Backlog(ctx context.Context) (n int64, ok bool, err error) {
	s.mu.Lock()
	known := make(map[string][]string, len(s.groups))
	for stream, groups := range s.groups {
		known[stream] = slices.Collect(maps.Keys(groups))
	}
	s.mu.Unlock()
	for stream, groups := range known {
		for _, group := range groups {
			c, err := s.js.Consumer(ctx, stream, group)
			if err != nil {
				return 0, true, fmt.Errorf("ask for backlog of %s: %w", stream, err)
			}
			info := c.CachedInfo() // as old as the call above
			n += int64(info.NumPending) + int64(info.NumAckPending)
		}
	}
	return n, true, nil
}

// Close implements [broker.Session].
func (s *session) Close(ctx context.Context) error {
	s.mu.Lock()
	streams := slices.Sorted(maps.Keys(s.groups))
	s.mu.Unlock()
	var errs []error
	if len(streams) > 0 {
		if err := s.control.Ready(ctx); err != nil {
			errs = append(errs, fmt.Errorf("delete streams %s: %w", strings.Join(streams, ", "), err))
			streams = nil
		}
	}
	for _, stream := range streams {
		if err := s.js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			errs = append(errs, fmt.Errorf("delete stream %s: %w", stream, err))
		}
	}
	if err := s.control.Close(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// streamName returns the name of a subject's stream. What stream names cannot
// contain is written differently, so that two subjects never share one.
func (s *session) streamName(subject string) string {
	escape := strings.NewReplacer("_", "__", ".", "_d", "*", "_a", ">", "_g", " ", "_s", "/", "_f", `\`, "_b")
	return s.cfg.Prefix + "-" + escape.Replace(subject)
}

// note remembers what has to be counted and deleted.
func (s *session) note(stream, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[stream] == nil {
		s.groups[stream] = make(map[string]struct{})
	}
	if group != "" {
		s.groups[stream][group] = struct{}{}
	}
}

// makeStream makes the stream of a subject unless it is there: a work queue for
// a group, else one that keeps nothing.
func (s *session) makeStream(ctx context.Context, js jetstream.JetStream, subject, group string) error {
	retention := jetstream.WorkQueuePolicy
	if group == "" {
		retention = jetstream.InterestPolicy
	}
	storage := jetstream.FileStorage
	if s.cfg.Params["storage"] == "memory" {
		storage = jetstream.MemoryStorage
	}
	name := s.streamName(subject)
	s.note(name, "")
	err := natsstream.Make(ctx, func(ctx context.Context) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{s.space.Subject(subject)}, Storage: storage,
			Retention: retention, Discard: jetstream.DiscardNew, MaxAge: messageAgeMax,
			Replicas: max(1, s.cfg.Params.Int("replicas")), Duplicates: s.millis("dedup_window_ms"),
		})
		return err
	})
	if err != nil && (group != "" || !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse)) {
		return fmt.Errorf("make stream of %s: %w", subject, err)
	}
	return nil // a group's queue confirms for those without a group, too
}

// makeConsumer makes a group's consumer unless it is there.
func (s *session) makeConsumer(
	ctx context.Context, js jetstream.JetStream, subject, group string,
) (jetstream.Consumer, error) {
	stream := s.streamName(subject)
	s.note(stream, group)
	c, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: group, AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.millis("ack_wait_ms"),
		MaxAckPending: ackPendingMax, InactiveThreshold: consumerUnusedMax,
	})
	if err != nil {
		return nil, fmt.Errorf("make consumer of %s for %s: %w", subject, group, err)
	}
	return c, nil
}

func (s *session) millis(param string) time.Duration {
	return time.Duration(s.cfg.Params.Int(param)) * time.Millisecond
}
