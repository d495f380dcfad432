package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"flowbench/report/plot"
	"flowbench/results"
)

// WriteAll writes the page and the plots of run into root, the directory of the
// run: report.html, and a PNG and an SVG of every figure in plots. Each file is
// replaced as a whole, so a reader never meets half a page.
func WriteAll(root *os.Root, run *results.Run) error {
	run = run.Merged()
	figures := plot.All(run)
	files := []file{{"report.html", func(w io.Writer) error { return writePage(w, run, figures, "") }}}
	for _, f := range figures {
		files = append(
			files,
			file{"plots/" + f.Name + ".png", f.WritePNG},
			file{"plots/" + f.Name + ".svg", f.WriteSVG},
		)
	}
	if err := root.Mkdir("plots", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write report: %w", err)
	}
	return writeFiles(root, files)
}

// writeFiles writes files below root, each as a whole.
func writeFiles(root *os.Root, files []file) error {
	for _, f := range files {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		if err := results.WriteFile(root, f.name, b.Bytes()); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}

// A file is a name below the run directory and what is written to it.
type file struct {
	name  string
	write func(io.Writer) error
}
