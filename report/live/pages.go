package live

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"flowbench/report"
	"flowbench/results"
)

var (
	//go:embed panel.html
	panelHTML string
	//go:embed panel.css
	panelCSS string
	//go:embed panel.js
	panelScript string
)

// Draw writes the page of the run in root: its report, and above that the panel of
// figures unless the run has ended.
func Draw(w io.Writer, root *os.Root) error {
	run, err := results.ReadRoot(root)
	if err != nil {
		return err
	}
	if run.Over() {
		return report.WriteHTML(w, run)
	}
	ended := 0
	for _, c := range run.Cells {
		if c.Finished {
			ended++
		}
	}
	return report.WriteUnfinished(w, run, report.Insert{
		Style: template.CSS(panelCSS), Script: template.JS(panelScript),
		Body: template.HTML(strings.Replace(panelHTML, `data-ended="0"`, fmt.Sprintf(`data-ended="%d"`, ended), 1)),
	})
}

// A Painter draws the page of the run in root.
type Painter func(ctx context.Context, root *os.Root) ([]byte, error)

// paint is the painter of this process.
func paint(_ context.Context, root *os.Root) ([]byte, error) {
	var b bytes.Buffer
	err := Draw(&b, root)
	return b.Bytes(), err
}

const (
	maxPages = 8               // that are kept
	pause    = time.Second     // between two drawings of one page
	lasting  = 5 * time.Second // that a page is kept while only seconds are added to the run
	maxNames = 20_000          // of files in a run directory
	ofCells  = "cells"         // the folder of a run that its cells are in
	runFile  = "run.json"      // what makes a directory a run
)

// pages keeps pages that were drawn, and draws one at a time, so that no number of
// browsers makes more work than one impatient one.
type pages struct {
	paint Painter
	turn  chan struct{} // held while one draws
	kept  map[string]drawn
}

// drawn is a page with the state of the run directory that it was drawn from.
type drawn struct {
	html  []byte
	state state
	at    time.Time
}

func newPages(p Painter) *pages {
	return &pages{paint: p, turn: make(chan struct{}, 1), kept: make(map[string]drawn)}
}

// get returns the page of the run in root, which is known by a name.
func (p *pages) get(ctx context.Context, name string, root *os.Root) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now, err := stateOf(root)
	if err != nil {
		return nil, err
	}
	before, known := p.kept[name]
	if known && before.state.whole == now.whole &&
		(before.state.growing == now.growing || time.Since(before.at) < lasting) {
		return before.html, nil
	}
	if known { // others wait meanwhile, which is the point
		select {
		case <-time.After(pause - time.Since(before.at)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if now, err = stateOf(root); err != nil {
			return nil, err
		}
	}
	html, err := p.paint(ctx, root)
	if err != nil {
		return nil, err
	}
	p.keep(name, drawn{html, now, time.Now()})
	return html, nil
}

// keep remembers a page, and forgets the oldest if there are too many.
func (p *pages) keep(name string, d drawn) {
	p.kept[name] = d
	oldest := name
	for other, page := range p.kept {
		if page.at.Before(p.kept[oldest].at) {
			oldest = other
		}
	}
	if len(p.kept) > maxPages {
		delete(p.kept, oldest)
	}
}

// A state tells two states of a run directory apart, as far as pages show them.
type state struct {
	whole   string // names, sizes and times of the files that are replaced as a whole
	growing string // likewise, of those that seconds are appended to
}

// stateOf returns the state of the run in root.
func stateOf(root *os.Root) (state, error) {
	var whole, growing strings.Builder
	info, err := root.Stat(runFile)
	if err != nil {
		return state{}, fmt.Errorf("look at run: %w", err)
	}
	note(&whole, info)
	dir, err := root.Open(ofCells)
	if err != nil {
		return state{}, fmt.Errorf("look at run: %w", err)
	}
	defer dir.Close() // nothing was written, so closing has nothing to say
	names, err := dir.Readdirnames(maxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return state{}, fmt.Errorf("look at run: %w", err)
	}
	for _, name := range names {
		info, err := root.Stat(path.Join(ofCells, name))
		switch {
		case err != nil: // gone meanwhile; names without their files are no state
		case strings.HasSuffix(name, ".history.jsonl"):
		case strings.HasSuffix(name, ".json"):
			note(&whole, info)
		case strings.HasSuffix(name, ".jsonl"):
			note(&growing, info)
		}
	}
	return state{whole.String(), growing.String()}, nil
}

func note(b *strings.Builder, info fs.FileInfo) {
	fmt.Fprintf(b, "%s %d %d\n", info.Name(), info.Size(), info.ModTime().UnixNano())
}
