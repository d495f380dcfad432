package natsstream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go/jetstream"

	"flowbench/sim/natsstream"
)

func TestAStreamIsMadeAgainOnlyWhenItsStoreFailed(t *testing.T) {
	failed := fmt.Errorf("wrapped: %w", &jetstream.APIError{
		Code: 500, ErrorCode: 10049, Description: "error creating store for stream"})
	full := &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamNameInUse}
	down := errors.New("connection closed")
	for name, tt := range map[string]struct {
		says  []error // the last one for ever
		calls int
	}{
		"a stream that is made at once":                 {[]error{nil}, 1},
		"one whose directory was removed below it":      {[]error{failed, failed, nil}, 3},
		"one that there is another error about":         {[]error{full}, 1},
		"one that there is no server for":               {[]error{down}, 1},
		"one whose second attempt fails for good":       {[]error{failed, down}, 2},
		"one on a disk that is full, which is given up": {[]error{failed}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := natsstream.Make(t.Context(), func(context.Context) error {
					calls++
					return tt.says[min(calls, len(tt.says))-1]
				})
				if want := tt.says[len(tt.says)-1]; !errors.Is(err, want) || calls != tt.calls {
					t.Errorf("make returned %v after %d calls; want %v after %d", err, calls, want, tt.calls)
				}
			})
		})
	}
}

func TestAMakerThatIsToldToStopDoesNotTryAgain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := natsstream.Make(ctx, func(context.Context) error {
		calls++
		cancel()
		return &jetstream.APIError{Code: 500, ErrorCode: 10049}
	})
	if err == nil || calls != 1 {
		t.Errorf("make returned %v after %d calls; want an error after one", err, calls)
	}
}
