// Package scenarios holds what is asked: which flows, on which brokers, under
// which load.
//
// A scenario is one YAML file that asks one question. People write it, so it
// may leave out whatever they do not care about. A [Plan] is what is run. It
// leaves out nothing: names are resolved, defaults written out, parameters of
// brokers checked, and every combination of flow and broker is a [Cell] with an
// id. Between the two stands [Scenario.Plan]; whoever wants to know what a
// scenario would do reads its plan.
//
// Reading is strict, because a typing error that is silently ignored costs a
// long run, or worse, a wrong decision. [Parse] accepts no key that it does not
// know, no number without the unit that it needs, no value out of bounds and no
// settings that contradict each other. What it refuses it places, as
// file:line:column at the key in question, says what is wrong, and after a
// semicolon what would be right. Scenarios come from other people too; the
// bounds on size, depth and products of numbers keep a hostile one from doing
// harm, and of YAML only the plain part is read.
//
// The command line changes a scenario by [Override] values. They edit the file's
// tree before anything is checked, so one set of rules serves both, and an error
// names the flag instead of a line.
//
// All settings stand in one table, in settings.go: key, bounds and description.
// Reading, checking and the JSON Schema that [Schema] writes for editors work
// from it and cannot drift apart. Defaults stand in one function, in
// scenario.go. What there is to name, that is flows, brokers and their
// parameters, comes in a [Catalog]: this package knows flows as data and no
// broker at all.
//
// Randomness is a pure function of seeds. [Load.Schedule] says when operations
// are due and [Cell.Operation] what they are; neither depends on the machine, on
// the speed of the flow or on what happened before. So two flows are asked for
// the same work at the same instants, and a run can be repeated.
//
// The library is the set of scenarios that the program carries with it, one file
// each beside the sources; the first line of each asks its question.
package scenarios
