package flows

import (
	"embed"
	"fmt"
)

//go:embed testdata/*.txt
var transcripts embed.FS

// Transcript returns who tells whom what, and when, while the flow of that name
// performs commands and queries, with success and without. Package transcript
// reads it. The texts are what the flows did in virtual time when they were last
// written, and a test compares them with what the flows do.
func Transcript(flow string) (string, error) {
	text, err := transcripts.ReadFile("testdata/" + flow + ".txt")
	if err != nil {
		return "", fmt.Errorf("read transcript of %s: %w", flow, err)
	}
	return string(text), nil
}
