package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"flowbench/report/live"
	"flowbench/results"
	"flowbench/sim"
)

// anyPort is where pages are shown that nobody gave an address.
const anyPort = "127.0.0.1:0"

// liveFlags are the flags about who may watch a run.
type liveFlags struct {
	page    string
	metrics string
	expose  bool
}

func (l *liveFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.page, "live", "",
		"show the run while it goes on, at `ADDR` (default a free port of 127.0.0.1); flowbench serve keeps showing it")
	f.Lookup("live").NoOptDefVal = anyPort
	f.StringVar(&l.metrics, "metrics", "",
		"serve metrics for Prometheus at `ADDR`/metrics while the run goes on, such as 127.0.0.1:9464")
	l.addExpose(f)
}

func (l *liveFlags) addExpose(f *pflag.FlagSet) {
	f.BoolVar(&l.expose, "expose", false, "let other machines in, if the address is one that they reach; "+
		"they may read the runs, and nothing encrypts what they read")
}

// listen opens the address of a flag.
func (l *liveFlags) listen(flag, address string) (net.Listener, error) {
	resolved, err := live.Resolve(address)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	if !l.expose && !live.Loopback(resolved) {
		return nil, &usageError{fmt.Errorf("--%s: other machines could reach %s; name 127.0.0.1, "+
			"or if they may read the run, say so with --expose", flag, resolved)}
	}
	listener, err := net.Listen("tcp", resolved)
	if err != nil {
		return nil, &sim.EnvironmentError{Err: fmt.Errorf("--%s: %w", flag, err)}
	}
	return listener, nil
}

// A showing is of a run that may be watched while it goes on. Without flags it is nothing.
type showing struct {
	page, metrics net.Listener
	feed          *live.Feed
	site          *live.Site
	servers       []*live.Server
}

// open listens, so that a run that cannot be shown is not begun.
func (l *liveFlags) open(run *results.Run) (*showing, error) {
	s := &showing{}
	var err error
	if l.page != "" {
		if s.page, err = l.listen("live", l.page); err != nil {
			return nil, err
		}
	}
	if l.metrics != "" {
		if s.metrics, err = l.listen("metrics", l.metrics); err != nil {
			s.close()
			return nil, err
		}
	}
	if l.page != "" || l.metrics != "" {
		s.feed = live.NewFeed(run)
	}
	return s, nil
}

// begin serves the run in dir and says where.
func (s *showing) begin(sh shell, dir string, expose bool) error {
	if s.page != nil {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return fmt.Errorf("show run: %w", err)
		}
		if s.site, err = live.OpenFeed(dir, s.feed, live.Aside(dir)); err != nil {
			return fmt.Errorf("show run: %w", err)
		}
		server := live.Serve(s.page, s.site.Handler(), expose)
		s.servers, s.page = append(s.servers, server), nil
		fmt.Fprintf(sh.stderr, "Live: %s\n", server.URL)
	}
	if s.metrics != nil {
		server := live.Serve(s.metrics, s.feed.Metrics(), expose)
		s.servers, s.metrics = append(s.servers, server), nil
		fmt.Fprintf(sh.stderr, "Metrics: %smetrics\n", server.URL)
	}
	return nil
}

// update passes on how the run is doing.
func (s *showing) update(p sim.Progress) {
	if s.feed == nil {
		return
	}
	told := live.Progress{
		Cell: p.Cell, Index: p.Index, Cells: p.Cells, Phase: string(p.Phase), Elapsed: p.Elapsed, Length: p.Length,
		Left: p.Left, Live: p.Live, InFlight: p.InFlight,
	}
	if p.Trial != nil {
		told.Trial = trialText(p.Trial)
	}
	s.feed.Update(told)
}

// farewell is how long browsers have to fetch the report of a run that has ended.
const farewell = 10 * time.Second

// close tells browsers that the run has ended, lets them fetch its report, and stops
// serving.
func (s *showing) close() {
	if s.feed != nil {
		s.feed.End()
	}
	if s.site != nil {
		// Who interrupts a run wants the report as well; a second Ctrl-C kills.
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		s.site.Dismiss(ctx)
		cancel()
	}
	for _, server := range s.servers {
		_ = server.Close() // the run is over, whatever it says
	}
	if s.site != nil {
		_ = s.site.Close() // it was only read
	}
	for _, l := range []net.Listener{s.page, s.metrics} {
		if l != nil {
			_ = l.Close() // nobody has been let in
		}
	}
}

func serveVerb() verb {
	return verb{
		name: "serve", args: "DIR", minArgs: 1, maxArgs: 1,
		summary: "show runs in a browser, those under way while they go on",
		long: `
Shows the runs in the directories of DIR, newest first, or the one run that DIR
holds, in a browser on this machine, until Ctrl-C. Runs under way are shown while
they go on, whoever runs them, and new ones appear. It reads what is in DIR and
writes nothing. What it knows of a run under way is what the run has written, which
is as far behind as the timeout of its operations; flowbench run --live is not.`,
		flags: func(f *pflag.FlagSet, c *call) {
			f.StringVar(&c.run.live.page, "listen", anyPort, "serve at `ADDR`; port 0 is any that is free")
			c.run.live.addExpose(f)
		},
		run: runServe,
	}
}

func runServe(ctx context.Context, sh shell, c *call) (exitCode, error) {
	site, err := live.Open(c.args[0])
	if err != nil {
		return exitUsage, err
	}
	l, err := c.run.live.listen("listen", c.run.live.page)
	if err != nil {
		return codeOf(err), errors.Join(err, site.Close())
	}
	server := live.Serve(l, site.Handler(), c.run.live.expose)
	what := "the run"
	if site.Many() {
		what = "the runs"
	}
	fmt.Fprintf(sh.stdout, "Serving %s in %s at %s until Ctrl-C.\n", what, c.args[0], server.URL)
	<-ctx.Done()
	if err := errors.Join(server.Close(), site.Close()); err != nil {
		return exitEnvironment, fmt.Errorf("stop serving: %w", err)
	}
	return exitOK, nil
}
