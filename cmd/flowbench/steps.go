package main

import (
	"flowbench/flows"
	"flowbench/flows/transcript"
	"flowbench/results"
	"flowbench/scenarios"
)

// doneStory is the story of an operation that meets no trouble; every transcript
// tells it of a command and of a query.
const doneStory = "done"

// stepsOf returns how a command and a query go in each flow of the plan, as its
// transcript tells it. A flow without a transcript is left out: a run is no worse
// for a drawing that its report does not have.
func stepsOf(p *scenarios.Plan) map[string]map[string][]results.Step {
	all := make(map[string]map[string][]results.Step)
	for _, c := range p.Cells {
		if _, known := all[c.Flow]; known {
			continue
		}
		text, err := flows.Transcript(c.Flow)
		if err != nil {
			continue
		}
		t, err := transcript.Parse(text)
		if err != nil {
			continue
		}
		all[c.Flow] = make(map[string][]results.Step)
		for _, k := range results.Kinds() {
			if e, ok := t.Episode(k.String(), doneStory); ok {
				all[c.Flow][k.String()] = steps(e)
			}
		}
	}
	return all
}

// steps returns an episode as results keep it: without its times, which are those
// of a model and would be taken for measured ones.
func steps(e transcript.Episode) []results.Step {
	all := make([]results.Step, 0, len(e.Steps))
	for _, s := range e.Steps {
		step := results.Step{From: s.From, To: s.To, Text: s.Text}
		switch s.Form {
		case transcript.Reply, transcript.LostReply:
			step.Reply = true
		case transcript.Outcome:
			step.Text = "outcome: " + s.Text
		default:
		}
		all = append(all, step)
	}
	return all
}
