package schedules

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The flags: how many seeds each flow is driven through, and which one alone.
var (
	seeds    = flag.Int("seeds", 1000, "how many seeds each flow is driven through")
	onlyFlow = flag.String("flow", "", "the only flow to run")
	onlySeed = flag.Int64("seed", -1, "the only seed to run, with a transcript")
)

// A subject is a flow and the way in which its payloads travel.
type subject struct {
	flows.Flow
	mode flows.Mode // empty for inline
}

// subjects returns every flow as it is, and then in every mode in which its
// payloads can be carried.
func subjects() (all []subject) {
	for _, mode := range []flows.Mode{"", flows.Stream, flows.Reference} {
		for _, flow := range flows.All() {
			if mode == "" || carriage(mode).Carries(flow.Spec()) {
				all = append(all, subject{flow, mode})
			}
		}
	}
	return all
}

// name is how a subject is written in testdata/seeds.txt and in the flag.
func (s subject) name() string {
	if s.mode == "" {
		return s.Spec().Name
	}
	return s.Spec().Name + ":" + string(s.mode)
}

func (s subject) draw(seed uint64) (Plan, error) { return DrawCarried(s.Flow, s.mode, seed) }

// TestSchedules drives every flow through schedules of faults, the kept seeds
// first, and checks what it promises.
func TestSchedules(t *testing.T) {
	kept := keptSeeds(t)
	for _, flow := range subjects() {
		name := flow.name()
		t.Run(name, func(t *testing.T) {
			switch {
			case *onlyFlow != "" && *onlyFlow != name:
				t.Skip("not asked for")
			case *onlySeed >= 0:
				tell(t, flow, uint64(*onlySeed))
				return
			}
			for _, seed := range kept[name] {
				check(t, flow, seed)
			}
			if !t.Failed() {
				n := uint64(*seeds)
				if flow.mode != "" {
					n /= 4 // they differ in less than flows do
				}
				if testing.Short() || raced {
					n = min(n, 50)
				}
				sweep(t, flow, n)
			}
		})
	}
}

// sweep runs the seeds from 0 on, on as many kernels at once as there are
// processors.
func sweep(t *testing.T, flow subject, n uint64) {
	t.Helper()
	const enough = 3 // failures to be told of
	var next, failures atomic.Uint64
	var mu sync.Mutex
	var sum Counts
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			var own Counts
			for seed := next.Add(1) - 1; seed < n && failures.Load() < enough; seed = next.Add(1) - 1 {
				c, ok := attempt(t, flow, seed)
				own = own.plus(c)
				if !ok {
					failures.Add(1)
				}
			}
			mu.Lock()
			sum = sum.plus(own)
			mu.Unlock()
		})
	}
	group.Wait()
	// A sweep in which nothing goes wrong, or nothing else, tests nothing.
	if n >= 100 && failures.Load() == 0 && (sum.OK*5 < sum.Due || sum.Unknown*100 < sum.Due || sum.Failed == 0 ||
		sum.Dropped == 0) {
		t.Errorf("the schedules lead to %+v; want some of each", sum)
	}
	t.Logf("%d seeds: %+v", n, sum)
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Due + d.Due, c.OK + d.OK, c.Failed + d.Failed, c.Unknown + d.Unknown, c.Dropped + d.Dropped}
}

// attempt runs one seed and reports whether it went well.
func attempt(t *testing.T, flow subject, seed uint64) (Counts, bool) {
	t.Helper()
	p, err := flow.draw(seed)
	if err != nil {
		t.Errorf("draw seed %d: %v", seed, err)
		return Counts{}, false
	}
	report := p.Run()
	if len(report.Wrong) > 0 {
		fail(t, flow, p)
		return report.Counts, false
	}
	return report.Counts, true
}

// fail tells of a plan that fails, made as small as it gets.
func fail(t *testing.T, flow subject, p Plan) {
	t.Helper()
	small, report := p.Shrink()
	alone := fmt.Sprintf("go test ./sim/schedules -run TestSchedules -v -flow %s -seed %d", flow.name(), p.Seed)
	t.Errorf("%d of %d faults are needed for this:\n%v\n  %s\n\nalone: %s",
		len(small.Faults), len(p.Faults), small, strings.Join(report.Wrong, "\n  "), alone)
}

// tell runs one seed and logs all that happens.
func tell(t *testing.T, flow subject, seed uint64) {
	t.Helper()
	p, err := flow.draw(seed)
	if err != nil {
		t.Fatal(err)
	}
	report, words := p.Tell()
	t.Logf("%v\n%s\n%+v", p, words, report.Counts)
	if len(report.Wrong) > 0 {
		fail(t, flow, p)
	}
}

// check runs one seed twice.
func check(t *testing.T, flow subject, seed uint64) {
	t.Helper()
	p, err := flow.draw(seed)
	if err != nil {
		t.Fatal(err)
	}
	first, again := p.Run(), p.Run()
	if first.Digest != again.Digest {
		t.Errorf("%s: two runs of seed %d differ", flow.name(), seed)
	}
	if len(first.Wrong) > 0 {
		fail(t, flow, p)
	}
}

// TestTheSameSeedIsTheSameRun runs some seeds of every flow twice.
func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for _, flow := range subjects() {
		digests := make(map[uint64]bool)
		const n = 20
		for seed := range uint64(n) {
			check(t, flow, seed)
			p, _ := flow.draw(seed) // has worked in check
			digests[p.Run().Digest] = true
		}
		if len(digests) != n {
			t.Errorf("%s: %d seeds give %d different runs", flow.name(), n, len(digests))
		}
	}
}

// TestCrashesFallIntoTheMidstOfPayloads counts how often they do: schedules in which
// it does not happen would test nothing of it.
func TestCrashesFallIntoTheMidstOfPayloads(t *testing.T) {
	broken := 0
	for seed := range uint64(300) {
		p, err := DrawCarried(flows.Async{Reply: flows.ReplyTo}, flows.Stream, seed)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(p)
		w.run()
		broken += w.service.broken
	}
	if broken < 3 {
		t.Errorf("%d payloads broke off in the midst; want some", broken)
	}
	t.Logf("%d payloads broke off in the midst", broken)
}

// keptSeeds reads the seeds that once found something, by flow.
func keptSeeds(t *testing.T) map[string][]uint64 {
	t.Helper()
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, kept := make(map[string]bool), make(map[string][]uint64)
	for _, flow := range subjects() {
		names[flow.name()] = true
	}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		seed, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
		if err != nil || len(fields) != 2 || !names[fields[0]] {
			t.Fatalf("testdata/seeds.txt:%d: got %q; want a flow, a seed and a comment", n, line)
		}
		kept[fields[0]] = append(kept[fields[0]], seed)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return kept
}
