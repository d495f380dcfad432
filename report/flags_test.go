package report

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the golden files in testdata")
	flag.String("look", "", "directory to write reports into, for the eye")
	flag.String("shots", "", "directory to write pictures of reports into")
	flag.String("shot", "", "the one report that pictures are taken of")
	flag.String("page-of", "", "run directory that a benchmark wants the page of")
	flag.Parse()
	os.Exit(m.Run())
}
