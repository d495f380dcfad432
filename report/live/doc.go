// Package live shows a run while it goes on, to browsers and to Prometheus.
//
// A live page is the report of a run that has not ended. Above it stands a panel
// with the figures of the moment, which come as server-sent events; the report
// below is drawn again from the run directory when a cell has ended, or when
// somebody asks for it. When the run ends, the page is its report.
//
// A [Feed] takes what the engine tells of the run, several times a second. It
// stores and computes next to nothing: figures are made when somebody asks. So a run
// that nobody watches pays for a pointer, and whoever watches slowly costs it nothing:
// there are no queues, only the latest state, which each watcher fetches when it has
// written the one before. Pages are drawn in a process of its own with the
// lowest priority, since drawing takes a processor for a good part of a second, and
// the load generator must not be late for that.
//
// A [Site] serves directories with runs in them, whoever writes them. It learns how
// an unfinished run goes from the seconds that the run writes, which are complete
// only when all of their operations have ended, and so come some seconds late.
//
// Everything is for this machine alone unless the caller listens elsewhere: only
// loopback names are answered to, so that no web site can reach a page by a name of
// its own; only GET and HEAD are, and only what the pages of this server ask for.
// Connections, streams, headers and times are bounded. Names in runs are other
// people's text: templates escape them, scripts set them as text, and the exposition
// format quotes them.
package live
