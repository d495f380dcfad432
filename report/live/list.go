package live

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

var (
	//go:embed list.html.tmpl
	listTemplate string
	//go:embed list.js
	listScript string
)

const (
	maxListed  = 200             // runs on the list, the newest
	maxEntries = 20_000          // of a directory that are looked at
	listEvery  = 2 * time.Second // between two looks at the directory
)

// A list knows the runs in the directories of one. It looks only while somebody asks.
type list struct {
	root *os.Root

	mu     sync.Mutex
	looked time.Time
	shown  listing
	known  map[string]known
}

// known is a run that has been read, with the state of its files then.
type known struct {
	modified time.Time // of run.json
	brief    *results.Brief
	wrong    string // why it cannot be read
}

// A listing is what the list shows.
type listing struct {
	Runs []listed
	More int // runs that are older than those
	mark string
}

// listed is one run of the list.
type listed struct {
	Name, Path, Scenario, Question, When, Cells, Valid, Verdict string
	Class, VerdictClass                                         string
	Simulated                                                   bool

	at time.Time
}

func newList(root *os.Root) *list { return &list{root: root, known: make(map[string]known)} }

// look returns the runs that there are now, or were just now.
func (l *list) look() (listing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.looked) < listEvery {
		return l.shown, nil
	}
	found, err := l.scan()
	if err != nil {
		return listing{}, err
	}
	l.shown, l.looked = found, time.Now()
	return found, nil
}

// candidate is a directory that has a run.
type candidate struct {
	name     string
	modified time.Time
}

func (l *list) scan() (listing, error) {
	dir, err := l.root.Open(".")
	if err != nil {
		return listing{}, fmt.Errorf("list runs: %w", err)
	}
	defer dir.Close() // nothing was written, so closing has nothing to say
	names, err := dir.Readdirnames(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return listing{}, fmt.Errorf("list runs: %w", err)
	}
	var all []candidate
	for _, name := range names {
		if !plainName(name) {
			continue
		}
		if info, err := l.root.Stat(path.Join(name, runFile)); err == nil {
			all = append(all, candidate{name, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(b.modified.Compare(a.modified), cmp.Compare(b.name, a.name))
	})
	more := max(len(all)-maxListed, 0)
	all = all[:len(all)-more]
	now := make(map[string]known, len(all))
	out := listing{More: more}
	for _, c := range all {
		k := l.read(c)
		now[c.name] = k
		out.Runs = append(out.Runs, describe(c, k))
	}
	l.known = now
	slices.SortStableFunc(out.Runs, func(a, b listed) int { return b.at.Compare(a.at) })
	out.mark = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, out.Runs, more)))
	return out, nil
}

// read reads a run, unless it has ended and been read.
func (l *list) read(c candidate) known {
	k, before := l.known[c.name], l.known[c.name].brief
	if k.modified.Equal(c.modified) && (k.wrong != "" || before != nil && before.Over()) {
		return k
	}
	k = known{modified: c.modified}
	root, err := l.root.OpenRoot(c.name)
	if err == nil {
		k.brief, err = results.ReadBrief(root, before)
		_ = root.Close() // nothing was written
	}
	if err != nil {
		k.wrong = err.Error()
	}
	return k
}

// describe says of a run what the list shows.
func describe(c candidate, k known) listed {
	r := listed{
		Name: words.Clean(c.name), Path: "runs/" + url.PathEscape(c.name) + "/", at: c.modified,
		When: words.Absent, Cells: words.Absent, Valid: words.Absent,
	}
	b := k.brief
	if b == nil {
		r.Verdict, r.VerdictClass = "cannot be read: "+words.Elide(words.Clean(k.wrong), 200), "bad"
		return r
	}
	r.Scenario, r.Question, r.Simulated = words.Clean(b.Scenario), words.Clean(b.Question), b.Simulated
	if !b.Started.IsZero() {
		r.at, r.When = b.Started, b.Started.UTC().Format("2006-01-02 15:04:05")
	}
	ended, valid, kept, broken := b.Ended(), 0, 0, 0
	for _, cell := range b.Begun {
		if cell.Finished && cell.Valid {
			valid++
		}
		switch cell.Verdict {
		case results.PromiseKept:
			kept++
		case results.PromiseBroken:
			broken++
		}
	}
	r.Cells = fmt.Sprintf("%d of %d", ended, len(b.CellIDs))
	r.Valid = fmt.Sprintf("%d of %d", valid, len(b.CellIDs))
	switch {
	case !b.Over():
		r.Verdict, r.VerdictClass, r.Class = "under way", "warn", "open"
	case broken > 0:
		r.Verdict, r.VerdictClass = "promise broken in "+words.Plural(int64(broken), "cell"), "bad"
	case !b.Finished:
		r.Verdict, r.VerdictClass = "unfinished: "+words.Elide(words.Clean(b.Reason), 80), "warn"
	case valid < len(b.CellIDs):
		r.Verdict, r.VerdictClass = "no verdict: not every cell is valid", "warn"
	case kept < len(b.CellIDs):
		r.Verdict = "no promise broken that anybody knows of"
	default:
		r.Verdict = "all promises kept"
	}
	return r
}

// next returns what a browser is told of the list: that it has changed.
func (l *list) next() source {
	seen := ""
	return func(ctx context.Context) (any, bool, error) {
		for {
			now, err := l.look()
			if err != nil {
				return nil, false, err
			}
			if now.mark != seen {
				seen = now.mark
				return map[string]string{"list": now.mark}, false, nil
			}
			select {
			case <-time.After(listEvery):
			case <-ctx.Done():
				return nil, false, ctx.Err()
			}
		}
	}
}

// listPage is what the template of the list shows.
type listPage struct {
	listing
	Mark   string
	Script template.JS
}

// serveList answers with the list.
func (s *Site) serveList(w http.ResponseWriter, r *http.Request) {
	found, err := s.list.look()
	if err != nil {
		s.sayWhy(w, r, err)
		return
	}
	t, err := template.New("list").Parse(listTemplate)
	if err != nil {
		s.sayWhy(w, r, err)
		return
	}
	hash := sha256.Sum256([]byte(listScript))
	policy := "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(hash[:]) + "'; "
	w.Header().Set("Content-Security-Policy", policy+pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var b strings.Builder
	if err := t.Execute(&b, listPage{listing: found, Mark: found.mark, Script: template.JS(listScript)}); err != nil {
		s.sayWhy(w, r, err)
		return
	}
	_, _ = io.WriteString(w, b.String()) // a browser that has gone has gone
}
