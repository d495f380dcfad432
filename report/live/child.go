package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Verb is how this program is called to draw a page: with the run directory as its
// only argument.
const Verb = "draw-live-page"

// Main draws the page of the run directory that args name, and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintf(stderr, "%s is called by flowbench itself\n", Verb)
		return 1
	}
	root, err := os.OpenRoot(args[0])
	if err == nil {
		err = Draw(stdout, root)
		_ = root.Close() // nothing was written
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

const (
	maxPage  = 256 << 20        // bytes of a page
	drawTime = 60 * time.Second // that a child may take, when nobody else lets it
)

// Aside returns a painter that draws the run in dir in a process of its own with the
// lowest priority, so that whoever shares this process is not late for it.
func Aside(dir string) Painter {
	return func(ctx context.Context, _ *os.Root) ([]byte, error) {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, drawTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, executable, Verb, dir)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		cmd.WaitDelay = time.Second
		var page, said bounded
		page.left, said.left = maxPage, 1<<10
		cmd.Stdout, cmd.Stderr = &page, &said
		setAside(cmd)
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("draw page: %w", err)
		}
		yield(cmd)
		if err := cmd.Wait(); err != nil {
			return nil, fmt.Errorf("draw page: %w: %s", err, said.b.String())
		}
		return page.b.Bytes(), nil
	}
}

// bounded keeps so many bytes and fails at the next.
type bounded struct {
	b    bytes.Buffer
	left int
}

// Write implements io.Writer.
func (w *bounded) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, io.ErrShortBuffer
	}
	return w.b.Write(p)
}
