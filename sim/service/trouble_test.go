package service

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flowbench/flows"
	"flowbench/scenarios"
)

// TestTroubles sends ten commands, one every ten milliseconds, to a service that
// takes one millisecond. The trouble lasts from the third to the end of the sixth.
func TestTroubles(t *testing.T) {
	for _, tt := range []struct {
		about   string
		trouble *Trouble
		want    string // d done, r refused, x neither
		applied int
		touched int64
	}{
		{"an instance that is down does nothing", &Trouble{Down: true}, "ddxxxxdddd", 6, 4},
		{
			"one that crashes after an effect does one more than it tells of",
			&Trouble{CrashAfterEffect: true}, "ddxxxxdddd", 7, 4,
		},
		{"errors may be the first few", &Trouble{ErrorFirst: 3}, "ddrrrddddd", 7, 3},
		{"or one of several", &Trouble{ErrorEvery: 2}, "dddrdrdddd", 8, 2},
		{"or all", &Trouble{ErrorShare: 1}, "ddrrrrdddd", 6, 4},
		{"a slow one does everything", &Trouble{Slow: 5 * time.Millisecond}, "dddddddddd", 10, 4},
		{"a paused one as well, later", &Trouble{Pause: true}, "dddddddddd", 10, 4},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l ledger
				s := newService(&l, scenarios.Service{
					Instances: 2, Workers: 10,
					Time: scenarios.ServiceTime{
						Distribution: scenarios.ConstantTime, Mean: scenarios.Duration(time.Millisecond),
					},
				})
				got := make([]byte, 10)
				heal := func() {}
				var all sync.WaitGroup
				for i := range got {
					switch i {
					case 2:
						heal = s.Afflict(1, tt.trouble)
					case 6:
						heal()
					}
					all.Go(func() {
						resp, err := s.Handle(context.Background(), 1, command(uint64(i+1), "k1"))
						switch {
						case errors.Is(err, errGone):
							got[i] = 'x'
						case err != nil:
							t.Error(err)
						case resp.Status == flows.Denied:
							got[i] = 'r'
						default:
							got[i] = 'd'
						}
					})
					time.Sleep(10 * time.Millisecond)
				}
				all.Wait()
				applied := 0
				for _, a := range l.all {
					if !a.Refused {
						applied++
					}
				}
				if string(got) != tt.want || applied != tt.applied || tt.trouble.Touched() != tt.touched {
					t.Errorf("got %s, %d applied and %d touched; want %s, %d and %d",
						got, applied, tt.trouble.Touched(), tt.want, tt.applied, tt.touched)
				}
			})
		})
	}
}

func TestAnIdempotentServiceDoesNothingTwice(t *testing.T) {
	for _, tt := range []struct {
		idempotent bool
		versions   uint64
	}{{false, 3}, {true, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var l ledger
			s := newService(&l, scenarios.Service{Instances: 1, Workers: 10, Idempotent: tt.idempotent})
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if _, err := s.Handle(context.Background(), 0, command(1, "k1")); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if v := s.state[1].version; v != tt.versions || len(l.all) != 3 {
				t.Errorf("idempotent %v: the key has version %d and the ledger %d lines; want %d and 3",
					tt.idempotent, v, len(l.all), tt.versions)
			}
		})
	}
}
