package modeledge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/edge/modeledge"
)

// TestFaultsDoWhatTheySay makes calls at 10, 20 and 40 ms, which take 12 ms, with
// a fault between 15 and 35 ms.
func TestFaultsDoWhatTheySay(t *testing.T) {
	const ok, cut, refused, timeout = "ok", "unknown disconnected", "failed refused", "unknown timeout"
	for _, tt := range []struct {
		name     string
		fault    modeledge.Fault
		backends int
		told     []string
		done     int // calls that were worked on to their end
	}{
		{
			"a cut ends what is under way, and refuses what comes",
			modeledge.Fault{Kind: modeledge.Cut, Client: 1}, 1, []string{cut, refused, ok}, 1,
		},
		{"others do not notice", modeledge.Fault{Kind: modeledge.Cut, Client: 2}, 1, []string{ok, ok, ok}, 3},
		{
			"of a call whose answer is lost, and of one that is lost, nobody hears",
			modeledge.Fault{Kind: modeledge.Lose, Client: 1, Share: 1}, 1, []string{timeout, timeout, ok}, 2,
		},
		{
			"a slow link takes longer than patience",
			modeledge.Fault{Kind: modeledge.Slow, Client: 1, Delay: time.Hour}, 1, []string{timeout, timeout, ok}, 2,
		},
		{
			"a backend that is cut off does not hear of the end", modeledge.Fault{Kind: modeledge.Cut, Backend: 1}, 1,
			[]string{cut, refused, ok}, 1,
		},
		{
			"and only that one is", modeledge.Fault{Kind: modeledge.Cut, Backend: 2}, 2, []string{ok, refused, ok}, 2,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.Part, tt.fault.At, tt.fault.For = "part", 15*ms, 20*ms
			config := modeledge.Config{
				Link: des.Constant(ms), Inner: des.Constant(0), Faults: []modeledge.Fault{tt.fault},
			}
			done, told := 0, make([]string, 3)
			var kernel *des.Kernel
			work := func(ctx context.Context, _ flows.Call) (flows.Answer, error) {
				err := kernel.Sleep(ctx, 10*ms)
				if err == nil {
					done++
				}
				return flows.Answer{}, err
			}
			backends := slices.Repeat([]func(context.Context, flows.Call) (flows.Answer, error){work}, tt.backends)
			serve(t, config, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
				kernel = k
				for i, at := range []time.Duration{10 * ms, 20 * ms, 40 * ms} {
					_ = k.Sleep(ctx, at-k.Now())
					k.Go(ctx, func(ctx context.Context) {
						ctx, cancel := k.WithTimeout(ctx, 100*ms)
						defer cancel()
						outcome, class := flows.OutcomeOf(answered(flows.First(ctx, c, flows.Call{ID: uint64(i + 1)})))
						told[i] = strings.TrimSpace(fmt.Sprint(outcome, " ", class))
					})
				}
				_ = k.Sleep(ctx, time.Second)
			}, backends...)
			if !slices.Equal(told, tt.told) || done != tt.done {
				t.Errorf("told %q, %d done; want %q, %d", told, done, tt.told, tt.done)
			}
		})
	}
}

func TestFaultsAreToldInWords(t *testing.T) {
	for want, f := range map[string]modeledge.Fault{
		"at 1ms for 2ms cut client 3 from the front-end":                  {Kind: modeledge.Cut, Client: 3},
		"at 1ms for 2ms cut backend 0 of the front-end from its balancer": {Kind: modeledge.Cut, Backend: 1},
		"at 1ms for 2ms lose 50 % of calls and of answers between client 0 and the front-end": {
			Kind: modeledge.Lose, Share: 0.5,
		},
		"at 1ms for 2ms delay calls and answers by 5ms on average between client 0 and the front-end": {
			Kind: modeledge.Slow, Delay: 5 * ms,
		},
	} {
		f.Part, f.At, f.For = "front-end", ms, 2*ms
		if got := f.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
