package modelbroker

import (
	"math/rand/v2"
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
)

// A subject is a server and the queues behind it.
type subject struct {
	session *session
	inbox   bool
	stream  *rand.Rand    // of its service times
	busy    time.Duration // until when its server is
	given   time.Duration // of work to the server, done or not
	inWork  int           // messages that wait for the server or are at it
	groups  []*group      // in the order in which they came to be
	seen    map[uint64]struct{}
	recent  []sighting // of the ids in seen, in order
}

// A sighting is a message id and until when it is remembered.
type sighting struct {
	id    uint64
	until time.Duration
}

func (s *session) subject(name string) *subject {
	sj := s.subjects[name]
	if sj == nil {
		sj = &subject{
			session: s, inbox: s.isInbox(name), stream: des.Stream(s.seed, "service/"+name),
			seen: make(map[uint64]struct{}),
		}
		s.subjects[name] = sj
	}
	return sj
}

// A group is subscribers who share messages, and the messages that wait for one
// of them. A subscriber without a group is one of its own, without a name.
type group struct {
	name    string
	acks    bool
	ranks   bool                      // urgent messages have a queue of their own
	urgent  *des.Queue[flows.Message] // given out before what is waiting; empty unless ranks is set
	waiting *des.Queue[flows.Message]
	members []*subscription
	turn    int
	held    int // handed out and not acknowledged
}

func (g *group) size() int { return g.urgent.Len() + g.waiting.Len() + g.held }

// queue returns where m waits.
func (g *group) queue(m flows.Message) *des.Queue[flows.Message] {
	if g.ranks && m.Urgent {
		return g.urgent
	}
	return g.waiting
}

// join makes sub a member of its group.
func (sj *subject) join(sub *subscription) {
	i := slices.IndexFunc(sj.groups, func(g *group) bool { return sub.groupName != "" && g.name == sub.groupName })
	if i < 0 {
		i = len(sj.groups)
		s, shared := sj.session, sub.groupName != ""
		sj.groups = append(sj.groups, &group{
			name: sub.groupName, acks: shared && s.traits.Has(flows.Redelivers),
			ranks:   shared && s.traits.Has(flows.Priorities),
			urgent:  des.NewQueue[flows.Message](s.kernel, "of what is urgent, at the broker"),
			waiting: des.NewQueue[flows.Message](s.kernel, "at the broker"),
		})
	}
	sub.group = sj.groups[i]
	sub.group.members = append(sub.group.members, sub)
	sub.group.dispatch()
}

// leave ends a membership. What the member held goes back, oldest first.
func (sj *subject) leave(sub *subscription) {
	g := sub.group
	g.members = slices.DeleteFunc(g.members, func(s *subscription) bool { return s == sub })
	for _, d := range slices.Backward(sub.held) {
		d.wait.Stop()
		g.putBack(d)
	}
	sub.held = nil
	if len(g.members) == 0 && !g.acks {
		sj.groups = slices.DeleteFunc(sj.groups, func(other *group) bool { return other == g })
	}
	g.dispatch()
}

func (g *group) putBack(d *delivery) {
	g.held--
	d.m.Redelivered, d.m.Acker = d.m.Redelivered || d.received, nil
	g.queue(d.m).PutFront(d.m)
}

// refusal says why the broker does not take a message now, if so.
func (sj *subject) refusal() error {
	if len(sj.groups) == 0 {
		return flows.Fail(flows.NoResponders, errNobody)
	}
	for _, g := range sj.groups {
		if sj.inWork+g.size() >= sj.session.capacity {
			return flows.Fail(flows.Overloaded, errFull)
		}
	}
	return nil
}

// store hands m to every group, unless its id is known.
func (sj *subject) store(m flows.Message) {
	if s := sj.session; s.dedup > 0 && m.ID != 0 && !sj.inbox {
		now := s.kernel.Now()
		for len(sj.recent) > 0 && sj.recent[0].until <= now {
			delete(sj.seen, sj.recent[0].id)
			sj.recent = sj.recent[1:]
		}
		if _, known := sj.seen[m.ID]; known {
			return
		}
		sj.seen[m.ID] = struct{}{}
		sj.recent = append(sj.recent, sighting{m.ID, now + s.dedup})
	}
	for _, g := range sj.groups {
		g.queue(m).Put(m)
		if g.acks && sj.session.hit(Repeat, "") {
			again := m
			again.Redelivered = true
			g.queue(m).Put(again)
		}
		g.dispatch()
	}
}

// dispatch hands out what waits, in turn, to members that may hold more.
func (g *group) dispatch() {
	for g.urgent.Len()+g.waiting.Len() > 0 {
		sub := g.next()
		if sub == nil {
			return
		}
		m, ok := g.urgent.TryGet()
		if !ok {
			m, _ = g.waiting.TryGet() // there is one
		}
		sub.deliver(m)
	}
}

func (g *group) next() *subscription {
	for range g.members {
		g.turn++
		if sub := g.members[g.turn%len(g.members)]; !g.acks || len(sub.held) < sub.conn.session.prefetch {
			return sub
		}
	}
	return nil
}
