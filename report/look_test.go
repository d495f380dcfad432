package report

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// TestLook writes the report of every fixture to a directory, for somebody to
// look at: no test can say whether a page is legible.
func TestLook(t *testing.T) {
	dir := flag.Lookup("look").Value.String()
	if dir == "" {
		t.Skip("run with -look=DIR to write reports for the eye")
	}
	for name, run := range map[string]*results.Run{
		"one":      fixture.Run(fixture.Default()[:1], 30, 400),
		"seven":    fixture.Run(fixture.Default(), 30, 400),
		"twenty":   fixture.Run(fixture.Many(), 8, 300),
		"faulty":   fixture.Faulty(),
		"twice":    fixture.FaultyTwice(),
		"troubled": fixture.Troubled(),
		"carried":  fixture.Carried(),
		"fully":    fixture.CarriedFully(),
		"parcels": fixture.CarriedBy(fixture.Parcels{
			Flows: []string{"async-reply-to"}, Brokers: []string{"nats", "rabbitmq"}, Stores: []string{"s3", "file"},
			Bytes: []int{1 << 10, 1 << 20},
		}),
		"told":     fixture.Told(fixture.Run(fixture.Many(), 8, 300)),
		"followed": fixture.Followed(),
		"swept":    fixture.Swept(),
		"ramped":   fixture.Ramped(),
		"wide":     fixture.Run(fixture.Wide(), 150, 60),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteAll(root, run); err != nil {
			t.Fatal(err)
		}
		for file, write := range map[string]func(*os.File) error{
			"report.csv":     func(f *os.File) error { return WriteCSV(f, run) },
			"report-80.txt":  func(f *os.File) error { return WriteText(f, run, 80, false) },
			"report-160.txt": func(f *os.File) error { return WriteText(f, run, 160, true) },
		} {
			f, err := root.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(f); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
