package report

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the golden files in testdata")
	flag.String("look", "", "directory to write reports into, for the eye")
	flag.Parse()
	os.Exit(m.Run())
}
