package transcript

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const example = `# a remark
flow: shout
participants: client-0 broker
== command: done
0.0 client-0 -> broker command 1 to requests
 0.25  broker -->  client-0   confirm of command 1
0.25 client-0 = ok, accepted

== query: the broker is away
0 client-0 -x broker query 1
1.5 client-0 : waits 1 ms
12 broker --x client-0 answer to nobody
12.0 client-0 = failed, unreachable
`

func exampleTranscript() Transcript {
	const µs = time.Microsecond
	return Transcript{
		Flow: "shout", Participants: []string{"client-0", "broker"},
		Episodes: []Episode{
			{Kind: "command", Story: "done", Steps: []Step{
				{0, Telling, "client-0", "broker", "command 1 to requests"},
				{250 * µs, Reply, "broker", "client-0", "confirm of command 1"},
				{250 * µs, Outcome, "client-0", "", "ok, accepted"},
			}},
			{Kind: "query", Story: "the broker is away", Steps: []Step{
				{0, Lost, "client-0", "broker", "query 1"},
				{1500 * µs, Note, "client-0", "", "waits 1 ms"},
				{12000 * µs, LostReply, "broker", "client-0", "answer to nobody"},
				{12000 * µs, Outcome, "client-0", "", "failed, unreachable"},
			}},
		},
	}
}

func TestATranscriptIsReadAsSteps(t *testing.T) {
	got, err := Parse(example)
	if err != nil {
		t.Fatal(err)
	}
	if want := exampleTranscript(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestATranscriptIsWrittenInColumns(t *testing.T) {
	const want = `
flow: shout
participants: client-0 broker

== command: done

   0.0  client-0  ->   broker    command 1 to requests
  0.25  broker    -->  client-0  confirm of command 1
  0.25  client-0  =    ok, accepted

== query: the broker is away

   0.0  client-0  -x   broker    query 1
   1.5  client-0  :    waits 1 ms
  12.0  broker    --x  client-0  answer to nobody
  12.0  client-0  =    failed, unreachable
`
	if got := exampleTranscript().String(); got != remarks+want {
		t.Errorf("got\n%s\nwant\n%s", got, remarks+want)
	}
}

// TestBrokenTranscripts has one line for each way in which a text can be no
// transcript.
func TestBrokenTranscripts(t *testing.T) {
	const head = "flow: f\nparticipants: a b\n== command: done\n"
	for _, c := range []struct{ why, text, want string }{
		{"no name", "participants: a b", "no line names the flow"},
		{"no participants", "flow: f", "none names who takes part"},
		{"two names", "flow: f g", "line 1: the flow has one name"},
		{"named twice", "flow: f\nflow: f", "line 2: the flow has one name"},
		{"nobody takes part", "flow: f\nparticipants:", "line 2: the participants are named once"},
		{"a participant twice", "flow: f\nparticipants: a a", `line 2: participant "a" is named twice`},
		{"an episode before its participants", "flow: f\n== command: done", "line 2: title"},
		{"an episode without a story", "flow: f\nparticipants: a\n== command", "line 3: title"},
		{"an episode twice", head + "== command: done", "line 4: a second episode"},
		{"a step before the first episode", "flow: f\nparticipants: a\n0.0 a : x", "line 3: "},
		{"no time", head + "a -> b x", `line 4: "a" is no time`},
		{"too fine a time", head + "0.1234567 a -> b x", "is no time"},
		{"a time without a beginning", head + ".5 a -> b x", "is no time"},
		{"too long a time", head + "9999999999999999 a -> b x", "is no time"},
		{"a stranger who tells", head + "0.0 c -> b x", `line 4: "c" is no participant`},
		{"a stranger who is told", head + "0.0 a -> c x", `line 4: "c" is no participant`},
		{"no such mark", head + "0.0 a => b x", `line 4: "=>" is no mark`},
		{"nothing told", head + "0.0 a -> b", "line 4: the step says nothing"},
		{"nothing noted", head + "0.0 a :", "line 4: the step says nothing"},
		{"nothing but a time", head + "0.0", `line 4: "" is no participant`},
		{"time that goes back", head + "0.5 a : x\n0.4 a : x", "line 5: time goes back from 0.5 to 0.4"},
	} {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v; want one with %q", c.why, err, c.want)
		}
	}
}

func TestADiagramShowsWhoTakesPart(t *testing.T) {
	tr := exampleTranscript()
	tr.Participants = []string{"client-1", "client-0", "broker"}
	want := `sequenceDiagram
    participant p0 as client-0
    participant p1 as broker
    p0-xp1: query 1
    Note over p0: waits 1 ms
    p1--xp0: answer to nobody
    Note over p0: outcome: failed, unreachable
`
	if got := tr.Mermaid(tr.Episodes[1]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	e := Episode{Steps: []Step{
		{0, Telling, "client-0", "broker", "a; b # c <d>"}, {0, Reply, "broker", "client-0", "%% e"},
	}}
	got := tr.Mermaid(e)
	for _, line := range []string{"    p0->>p1: a#59; b #35; c #60;d#62;\n", "    p1-->>p0: #37;#37; e\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
}

func TestEpisodesAndOutcomesAreFound(t *testing.T) {
	tr := exampleTranscript()
	if e, ok := tr.Episode("query", "the broker is away"); !ok || e.Outcome() != "failed, unreachable" {
		t.Errorf("found %v, with the outcome %q", ok, e.Outcome())
	}
	if e, ok := tr.Episode("query", "done"); ok || e.Outcome() != "" {
		t.Errorf("an episode is found that is not there, with the outcome %q", e.Outcome())
	}
	e := Episode{Steps: []Step{{0, Note, "broker", "", "rests"}}}
	if cast := tr.Cast(e); !slices.Equal(cast, []string{"broker"}) {
		t.Errorf("the cast is %v; want the broker alone", cast)
	}
}

// TestWhatIsWrittenIsReadAgain holds for any transcript at all.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	name := rapid.StringMatching(`[a-z#:=>-]{1,9}`)
	text := rapid.StringMatching(`[a-z0-9#;:=<>%-]{1,5}( [a-zäß#;:=<>%-]{1,5}){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		want := Transcript{
			Flow:         name.Draw(t, "flow"),
			Participants: rapid.SliceOfNDistinct(name, 1, 4, rapid.ID[string]).Draw(t, "participants"),
		}
		who := rapid.SampledFrom(want.Participants)
		for _, story := range rapid.SliceOfNDistinct(text, 0, 3, rapid.ID[string]).Draw(t, "stories") {
			e := Episode{Kind: rapid.SampledFrom([]string{"command", "query"}).Draw(t, "kind"), Story: story}
			var at time.Duration
			for range rapid.IntRange(0, 4).Draw(t, "steps") {
				at += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later"))
				s := Step{At: at, Form: Form(rapid.IntRange(0, int(numForms)-1).Draw(t, "form"))}
				s.From, s.Text = who.Draw(t, "from"), text.Draw(t, "text")
				if !s.Form.alone() {
					s.To = who.Draw(t, "to")
				}
				e.Steps = append(e.Steps, s)
			}
			want.Episodes = append(want.Episodes, e)
		}
		got, err := Parse(want.String())
		if err != nil {
			t.Fatalf("%v:\n%s", err, want)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// FuzzParse checks that nothing crashes the parser, that what it accepts is
// written and read again as the same, and that all of it can be drawn.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("flow:0")
	f.Add("flow: f\nparticipants: a\n== command: done\n0 a = ok")
	f.Add("flow: f\nparticipants: a b\n=== a: b: c\n9223372036854.775807 a -> b x\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse(text)
		if err != nil {
			return
		}
		written := first.String()
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%v:\n%s", err, written)
		}
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("got  %+v\nwant %+v", again, first)
		}
		for _, e := range again.Episodes {
			lines := strings.Count(again.Mermaid(e), "\n")
			if want := 1 + len(again.Cast(e)) + len(e.Steps); lines != want {
				t.Fatalf("the diagram has %d lines; want %d:\n%s", lines, want, again.Mermaid(e))
			}
		}
	})
}
