package des_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/service"
)

// A view is what one live query was told: the writer of the value that it began
// with, and then of each that it was pushed.
type view struct {
	key     int
	writers []uint64
}

// look holds a live query of a key for a while.
func (s *stage) look(ctx context.Context, caller flows.Caller, v *view, d time.Duration) error {
	ctx, cancel := s.kernel.WithTimeout(ctx, d)
	defer cancel()
	call := flows.Call{Verb: flows.Watch, Kind: flows.Query, Key: service.KeyName(v.key)}
	for a, err := range caller.Call(ctx, call) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		writer, intact := service.CheckPayload(a.Body)
		if first := len(v.writers) == 0; !intact || first && a.Op != 0 || !first && a.Op != writer {
			return fmt.Errorf("answer %d is of writer %d, %v, as news of %d", len(v.writers), writer, intact, a.Op)
		}
		v.writers = append(v.writers, writer)
	}
	return nil
}

// history returns the writers of a key, in the order of its versions.
func (s *stage) history(key int) []uint64 {
	writers := []uint64{0}
	for _, a := range s.ledger {
		if int(a.Key) == key {
			writers = append(writers, a.Op)
		}
	}
	return writers
}

// check says how a view differs from a stretch of the history that ends with it.
func (v view) check(history []uint64) error {
	if len(v.writers) == 0 {
		return fmt.Errorf("a watch of key %d was told nothing", v.key)
	}
	for i, writer := range history {
		if writer == v.writers[0] {
			if got, want := fmt.Sprint(v.writers), fmt.Sprint(history[i:]); got != want {
				return fmt.Errorf("a watch of key %d was told %s; want %s", v.key, got, want)
			}
			return nil
		}
	}
	return fmt.Errorf("a watch of key %d began with the value of %d, which never was there", v.key, v.writers[0])
}

// TestALiveQueryThatBeginsUnderLoadMissesNothing has live queries begin at any
// moment of a load on few keys, whose changes the instances of the service
// publish in any order. Each must be told all that came after the value that it
// began with, once and in the order of the versions.
func TestALiveQueryThatBeginsUnderLoadMissesNothing(t *testing.T) {
	const watches, operations = 60, 600
	for seed := range uint64(5) {
		s := &stage{kernel: des.New(), seed: seed, flow: flows.WebSocket{}}
		views := make([]view, watches)
		err := s.kernel.Run(t.Context(), func(ctx context.Context) {
			if err := s.open(ctx); err != nil {
				t.Fatal(err)
			}
			caller, err := s.edge.Dial(ctx, "front-end", clients)
			if err != nil {
				t.Fatal(err)
			}
			var waits []func(context.Context) error
			draw, pause := des.Stream(seed, "watches"), des.Exponential(5*ms)
			waits = append(waits, s.kernel.Go(ctx, func(ctx context.Context) {
				for i := range views {
					_ = s.kernel.Sleep(ctx, pause(draw))
					views[i].key = i % 3 // few keys, and much news of each
					waits = append(waits, s.kernel.Go(ctx, func(ctx context.Context) {
						if err := s.look(ctx, caller, &views[i], patience); err != nil {
							t.Error(err)
						}
					}))
				}
			}))
			s.load(ctx, operations, func(op *flows.Op, err error) {
				if err != nil {
					t.Errorf("operation %d: %v", op.ID, err)
				}
			})
			for i := 0; i < len(waits); i++ {
				_ = waits[i](ctx)
			}
			if err := s.close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		if err != nil {
			t.Error(err)
		}
		late := 0
		for _, v := range views {
			if err := v.check(s.history(v.key)); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if len(v.writers) > 1 && v.writers[0] != 0 {
				late++
			}
		}
		if late < watches/4 {
			t.Errorf("only %d of %d watches began in the middle of the load; the test says little", late, watches)
		}
	}
}
