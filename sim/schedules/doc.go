// Package schedules drives flows through things that go wrong, in virtual time,
// and checks what they promise all the same.
//
// A [Plan] follows from a flow and a seed: how many clients and instances there
// are, what kind of broker it is, when operations arrive, and a schedule of
// faults. Links are slow, lose messages or are cut; the broker delivers twice or
// goes away; instances of the service crash in the midst of their work, before
// it is done or after it was and before anybody was told. Every fault ends, and
// there is time enough afterwards for all that is owed.
//
// [Plan.Run] then compares what clients were told with what the service did. The
// rules stand in check.go and hold for every flow, so that a new flow is tested
// by being listed in [flows.All]. A promise is held to what the broker of the
// plan can keep: no flow promises more than that.
//
// Two runs of a plan are the same to the last event, which makes a seed a test
// case. A plan that fails is made smaller by [Plan.Shrink]: faults that are not
// needed for the failure are left out.
package schedules
