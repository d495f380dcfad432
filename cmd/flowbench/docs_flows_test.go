package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/flows/transcript"
)

// crashStory is the story of trouble that the page draws, beside doneStory.
const crashStory = "the instance at work dies"

// transcripts returns the transcript of every flow, in the order of the flows.
func transcripts(t *testing.T) []transcript.Transcript {
	t.Helper()
	var told []transcript.Transcript
	for _, f := range flows.All() {
		text, err := flows.Transcript(f.Spec().Name)
		if err != nil {
			t.Fatalf("%v; run go test ./flows -rewrite", err)
		}
		one, err := transcript.Parse(text)
		if err != nil {
			t.Fatalf("parse transcript of %s: %v", f.Spec().Name, err)
		}
		told = append(told, one)
	}
	return told
}

// learntDoc says for every flow and every way in which an operation can go what
// its client knows in the end.
func learntDoc(told []transcript.Transcript) []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "\n## What the client learns\n\n"+
		"Each flow performs a command and a query in virtual time, once without trouble and once with each\n"+
		"trouble that can befall the parts of the world that it uses. This is what the client knows in the end;\n"+
		"the sections below show how it comes to know it. Unknown is the word for an operation that may have\n"+
		"happened or may yet happen; the transcripts, which see more than the client, tell whether it did.\n")
	for _, kind := range []flows.Kind{flows.Command, flows.Query} {
		var stories []string
		for _, t := range told {
			for _, e := range t.Episodes {
				if e.Kind == kind.String() && !slices.Contains(stories, e.Story) {
					stories = append(stories, e.Story)
				}
			}
		}
		fmt.Fprintf(&b, "\n| %v | %s |\n", kind, strings.Join(stories, " | "))
		fmt.Fprintf(&b, "|---%s|\n", strings.Repeat("|---", len(stories)))
		for _, t := range told {
			fmt.Fprintf(&b, "| `%s` |", t.Flow)
			for _, story := range stories {
				e, _ := t.Episode(kind.String(), story)
				fmt.Fprintf(&b, " %s |", cmp.Or(e.Outcome(), "-"))
			}
			fmt.Fprintln(&b)
		}
	}
	return b.Bytes()
}

// diagramsDoc draws the operations of a flow that are done, and below them, out
// of the way, what happens when things go wrong.
func diagramsDoc(t transcript.Transcript) []byte {
	var b bytes.Buffer
	for _, kind := range []flows.Kind{flows.Command, flows.Query} {
		if e, ok := t.Episode(kind.String(), doneStory); ok {
			fmt.Fprintf(&b, "\nA %v that is done:\n\n%s", kind, diagram(t, e))
		}
	}
	if e, ok := t.Episode(flows.Command.String(), crashStory); ok {
		fmt.Fprint(&b, "\n<details><summary>A command on which an instance of the service dies</summary>\n\n",
			diagram(t, e), "\n</details>\n")
	}
	fmt.Fprint(&b, "\n<details><summary>Everything else that can happen, in milliseconds</summary>\n\n```\n")
	for i, e := range slices.DeleteFunc(slices.Clone(t.Episodes), drawn) {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "== %s: %s\n\n%s", e.Kind, e.Story, t.Text(e))
	}
	fmt.Fprint(&b, "```\n\n</details>\n")
	fmt.Fprintf(&b, "\nAll of it, with the marks explained: [%s.txt](../flows/testdata/%s.txt).\n", t.Flow, t.Flow)
	return b.Bytes()
}

// drawn reports whether the page has e as a diagram.
func drawn(e transcript.Episode) bool {
	return e.Story == doneStory || e.Story == crashStory && e.Kind == flows.Command.String()
}

func diagram(t transcript.Transcript, e transcript.Episode) string {
	return "```mermaid\n" + t.Mermaid(e) + "```\n"
}
