package modeledge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/edge/modeledge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// serve runs body with a client of backends, and closes the server after it.
func serve(
	t *testing.T, config modeledge.Config, body func(ctx context.Context, k *des.Kernel, c flows.Caller),
	backends ...func(ctx context.Context, c flows.Call) (flows.Answer, error),
) {
	t.Helper()
	k := des.New()
	e := modeledge.New(k, config)
	var endpoints []flows.Endpoint
	for _, b := range backends {
		endpoints = append(endpoints, func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
			return flows.Single(func() (flows.Answer, error) { return b(ctx, c) })
		})
	}
	err := k.Run(t.Context(), func(ctx context.Context) {
		life, stop := k.WithCancel(ctx)
		s, err := e.Listen(ctx, "part", endpoints...)
		if err != nil {
			t.Fatal(err)
		}
		served := k.Go(life, func(ctx context.Context) { _ = s.Serve(ctx) })
		c, err := e.Dial(ctx, "part", 1)
		if err != nil {
			t.Fatal(err)
		}
		body(ctx, k, c)
		stop()
		_ = served(ctx)
		if _, class := flows.OutcomeOf(answered(flows.First(ctx, c, flows.Call{ID: 1}))); class != flows.Refused {
			t.Errorf("a call to a server that has closed ends as %q; want refused", class)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func answered(_ flows.Answer, err error) error { return err }

func TestCallsAndAnswersCrossAsOverHTTP(t *testing.T) {
	var got flows.Call
	answer := flows.Answer{Status: flows.Pending, Body: []byte("not carried"), RetryAfter: 1500 * time.Microsecond}
	serve(t, modeledge.Config{Link: des.Constant(2 * ms)}, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
		body := []byte("b")
		a, err := flows.First(ctx, c, flows.Call{Verb: flows.Submit, Kind: flows.Query, ID: 7, Key: "k", Body: body})
		if err != nil || a.Status != flows.Pending || a.Body != nil || a.RetryAfter != ms || k.Now() != 4*ms {
			t.Errorf("got %+v, %v at %v; want pending, 1ms, at 4ms", a, err, k.Now())
		}
		body[0] = 'x'
		if got.Kind != flows.Command || got.ID != 7 || got.Key != "k" || string(got.Body) != "b" {
			t.Errorf("the call arrived as %+v", got)
		}
		answer = flows.Answer{Status: flows.Denied, Body: []byte("body")}
		a, err = flows.First(ctx, c, flows.Call{Verb: flows.Fetch, Kind: flows.StatusOf, ID: 8, Key: "k", Body: body})
		if err != nil || a.Status != flows.Done || !bytes.Equal(a.Body, answer.Body) || got.Key+string(got.Body) != "" {
			t.Errorf("got %+v, %v for %+v", a, err, got)
		}
	}, func(_ context.Context, c flows.Call) (flows.Answer, error) {
		got = c
		return answer, nil
	})
}

func TestErrorsKeepTheirOutcomeAndClass(t *testing.T) {
	for _, want := range []error{
		flows.Fail(flows.Rejected, errors.New("no")), flows.Unknown(flows.Disconnected, errors.New("cut")),
		errors.New("nobody classified this"), context.DeadlineExceeded,
	} {
		serve(t, modeledge.Config{Link: des.Constant(ms)}, func(ctx context.Context, _ *des.Kernel, c flows.Caller) {
			_, err := flows.First(ctx, c, flows.Call{ID: 1})
			outcome, class := flows.OutcomeOf(err)
			if o, cl := flows.OutcomeOf(want); outcome != o || class != cl || errors.Is(err, want) {
				t.Errorf("%v arrives as %v, %s (%v)", want, outcome, class, err)
			}
		}, func(context.Context, flows.Call) (flows.Answer, error) { return flows.Answer{}, want })
	}
}

func TestBodiesAreBounded(t *testing.T) {
	config := modeledge.Config{Link: des.Constant(ms), MaxBody: 3}
	serve(t, config, func(ctx context.Context, _ *des.Kernel, c flows.Caller) {
		_, err := flows.First(ctx, c, flows.Call{Verb: flows.Submit, ID: 1, Body: []byte("four")})
		if o, class := flows.OutcomeOf(err); o != flows.Failed || class != flows.TooLarge {
			t.Errorf("a large call ends as %v, %s", o, class)
		}
		_, err = flows.First(ctx, c, flows.Call{Verb: flows.Fetch, Kind: flows.Query, ID: 2})
		if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.TooLarge {
			t.Errorf("a large answer ends as %v, %s", o, class)
		}
	}, func(context.Context, flows.Call) (flows.Answer, error) {
		return flows.Answer{Body: []byte("four")}, nil
	})
}

// TestAClientThatGivesUpIsHeardOfLater checks that the work goes on until word of
// the timeout has crossed the link.
func TestAClientThatGivesUpIsHeardOfLater(t *testing.T) {
	var ended time.Duration
	var kernel *des.Kernel
	serve(t, modeledge.Config{Link: des.Constant(2 * ms)}, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
		kernel = k
		short, cancel := k.WithTimeout(ctx, 10*ms)
		defer cancel()
		_, err := flows.First(short, c, flows.Call{ID: 1})
		if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.Timeout || k.Now() != 10*ms {
			t.Errorf("ends as %v, %s at %v; want unknown, timeout at 10ms", o, class, k.Now())
		}
		_ = k.Sleep(ctx, 10*ms)
		if ended != 12*ms {
			t.Errorf("the work ended at %v; want 12ms", ended)
		}
	}, func(ctx context.Context, _ flows.Call) (flows.Answer, error) {
		_, err := kernel.Promise().Wait(ctx)
		ended = kernel.Now()
		return flows.Answer{}, err
	})
}

func TestTheBalancerTakesTurns(t *testing.T) {
	var calls [3]int
	count := func(i int) func(context.Context, flows.Call) (flows.Answer, error) {
		return func(context.Context, flows.Call) (flows.Answer, error) {
			calls[i]++
			return flows.Answer{}, nil
		}
	}
	config := modeledge.Config{Link: des.Constant(2 * ms), Inner: des.Constant(ms)}
	serve(t, config, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
		for range 9 {
			if _, err := flows.First(ctx, c, flows.Call{ID: 1}); err != nil {
				t.Error(err)
			}
		}
		if calls != [3]int{3, 3, 3} || k.Now() != 9*6*ms {
			t.Errorf("the backends had %v calls in %v; want 3 each, in 54ms", calls, k.Now())
		}
	}, count(0), count(1), count(2))
}

// TestTheBalancerSparesWhoIsBusy has one backend work on its first call for long.
func TestTheBalancerSparesWhoIsBusy(t *testing.T) {
	for _, tt := range []struct {
		least bool
		want  [2]int
	}{{false, [2]int{3, 3}}, {true, [2]int{1, 5}}} {
		var calls [2]int
		var kernel *des.Kernel
		config := modeledge.Config{Link: des.Constant(ms), LeastPending: tt.least}
		serve(t, config, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
			kernel = k
			first := k.Go(ctx, func(ctx context.Context) {
				if err := answered(flows.First(ctx, c, flows.Call{ID: 1})); err != nil {
					t.Error(err)
				}
			})
			_ = k.Sleep(ctx, ms) // until it is there
			for range 5 {
				if err := answered(flows.First(ctx, c, flows.Call{ID: 2})); err != nil {
					t.Error(err)
				}
			}
			_ = first(ctx)
			if calls != tt.want {
				t.Errorf("least pending %v: the backends had %v calls; want %v", tt.least, calls, tt.want)
			}
		}, func(ctx context.Context, _ flows.Call) (flows.Answer, error) {
			if calls[0]++; calls[0] == 1 {
				_ = kernel.Sleep(ctx, time.Second)
			}
			return flows.Answer{}, nil
		}, func(context.Context, flows.Call) (flows.Answer, error) {
			calls[1]++
			return flows.Answer{}, nil
		})
	}
}

func TestNothingToReachIsSaid(t *testing.T) {
	e := modeledge.New(des.New(), modeledge.Config{Link: des.Constant(ms)})
	if _, err := e.Listen(t.Context(), "part"); err == nil {
		t.Error("listened without a backend")
	}
	if _, class := flows.OutcomeOf(dialled(e.Dial(t.Context(), "elsewhere", 1))); class != flows.Unreachable {
		t.Errorf("dialling nobody ends as %q; want unreachable", class)
	}
}

func dialled(_ flows.Caller, err error) error { return err }

// TestAWatchIsToldAllInOrder has answers that follow each other at once over a
// link whose delays differ, and a caller that leaves.
func TestAWatchIsToldAllInOrder(t *testing.T) {
	const answers = 100
	k := des.New()
	var ended, left time.Duration
	endpoint := func(ctx context.Context, _ flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			for i := range answers {
				if !yield(flows.Answer{Body: []byte{byte(i)}}, nil) {
					return
				}
			}
			_, err := k.Promise().Wait(ctx)
			ended = k.Now()
			yield(flows.Answer{}, err)
		}
	}
	e := modeledge.New(k, modeledge.Config{Link: des.Exponential(2 * ms), Seed: 1})
	err := k.Run(t.Context(), func(ctx context.Context) {
		if _, err := e.Listen(ctx, "part", endpoint, endpoint); err != nil {
			t.Fatal(err)
		}
		c, err := e.Dial(ctx, "part", 1)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for a, err := range c.Call(ctx, flows.Call{Verb: flows.Watch, Kind: flows.Query, ID: 1, Key: "k"}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, a.Body...); len(got) == answers {
				break
			}
		}
		for i, b := range got {
			if int(b) != i {
				t.Fatalf("the answers came as %v; want them in order", got)
			}
		}
		left = k.Now()
		_ = k.Sleep(ctx, time.Second)
	})
	if err != nil || ended <= left {
		t.Errorf("left at %v, and the endpoint ended at %v, %v; want it to hear of that later", left, ended, err)
	}
}

// TestAWatchEndsAsItsEndpointDoes checks the three ways: without a word, with an
// error, and because the server closes.
func TestAWatchEndsAsItsEndpointDoes(t *testing.T) {
	k := des.New()
	e := modeledge.New(k, modeledge.Config{Link: des.Constant(ms)})
	endpoint := func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			if !yield(flows.Answer{Status: flows.Pending}, nil) {
				return
			}
			switch c.Key {
			case "quiet":
			case "error":
				yield(flows.Answer{}, flows.Fail(flows.Rejected, errors.New("no")))
			default:
				_, _ = k.Promise().Wait(ctx) // until the server closes
			}
		}
	}
	err := k.Run(t.Context(), func(ctx context.Context) {
		life, stop := k.WithCancel(ctx)
		s, err := e.Listen(ctx, "part", endpoint)
		if err != nil {
			t.Fatal(err)
		}
		served := k.Go(life, func(ctx context.Context) { _ = s.Serve(ctx) })
		c, err := e.Dial(ctx, "part", 1)
		if err != nil {
			t.Fatal(err)
		}
		k.AfterFunc(time.Second, stop)
		for _, tt := range []struct {
			key     string
			kind    flows.Kind
			answers int
			outcome flows.Outcome
			class   flows.Class
		}{
			{"quiet", flows.Command, 1, flows.OK, ""}, {"error", flows.Query, 1, flows.Failed, flows.Rejected},
			{"k", flows.StatusOf, 0, flows.Failed, flows.Rejected},
			{"k", flows.Command, 1, flows.Undecided, flows.Disconnected},
			{"k", flows.Query, 0, flows.Failed, flows.Refused},
		} {
			n, last := 0, error(nil)
			for _, err := range c.Call(ctx, flows.Call{Verb: flows.Watch, Kind: tt.kind, ID: 1, Key: tt.key}) {
				if last = err; err == nil {
					n++
				}
			}
			if o, class := flows.OutcomeOf(last); n != tt.answers || o != tt.outcome || class != tt.class {
				t.Errorf("a watch of %q ends after %d answers as %v, %s (%v); want %+v", tt.key, n, o, class, last, tt)
			}
		}
		_ = served(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

// reading is an endpoint that answers with the body of a call, or fails as that does.
func reading(_ context.Context, c flows.Call) (flows.Answer, error) {
	body, err := io.ReadAll(c.Stream)
	return flows.Answer{Body: body}, err
}

func TestStreamsArriveWholeAndTakeNoTime(t *testing.T) {
	config := modeledge.Config{Link: des.Constant(ms), MaxBody: 100}
	for _, size := range []int64{0, 1, 100} {
		serve(t, config, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
			a, err := flows.First(ctx, c, flows.Call{
				Verb: flows.Submit, ID: 1, Stream: bytes.NewReader(make([]byte, 200)), StreamBytes: size,
			})
			if err != nil || int64(len(a.Body)) != size || k.Now() != 2*ms {
				t.Errorf("%d bytes arrive as %d at %v, %v", size, len(a.Body), k.Now(), err)
			}
		}, reading)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	config := modeledge.Config{Link: des.Constant(ms), MaxBody: 3}
	serve(t, config, func(ctx context.Context, _ *des.Kernel, c flows.Caller) {
		_, err := flows.First(ctx, c, flows.Call{
			Verb: flows.Submit, ID: 1, Stream: bytes.NewReader(make([]byte, 4)), StreamBytes: 4,
		})
		if o, class := flows.OutcomeOf(err); o != flows.Failed || class != flows.TooLarge {
			t.Errorf("a large stream ends as %v, %s", o, class)
		}
	}, reading)
}

// TestAStreamThatBreaksOffIsNeverAShorterOne has an endpoint that takes no notice.
func TestAStreamThatBreaksOffIsNeverAShorterOne(t *testing.T) {
	serve(t, modeledge.Config{Link: des.Constant(ms)}, func(ctx context.Context, _ *des.Kernel, c flows.Caller) {
		_, err := flows.First(ctx, c, flows.Call{
			Verb: flows.Submit, ID: 1, Stream: bytes.NewReader(make([]byte, 4)), StreamBytes: 5,
		})
		if o, _ := flows.OutcomeOf(err); o != flows.Undecided {
			t.Errorf("a call whose body breaks off ends as %v (%v); want unknown", o, err)
		}
	}, func(_ context.Context, c flows.Call) (flows.Answer, error) {
		if body, err := io.ReadAll(c.Stream); err == nil {
			t.Errorf("%d bytes arrive as if they were whole", len(body))
		}
		return flows.Answer{}, nil
	})
}

func TestAStreamEndsWithItsCall(t *testing.T) {
	var broke error
	var kernel *des.Kernel
	serve(t, modeledge.Config{Link: des.Constant(ms)}, func(ctx context.Context, k *des.Kernel, c flows.Caller) {
		kernel = k
		limited, cancel := k.WithTimeout(ctx, 3*ms)
		defer cancel()
		_, err := flows.First(limited, c, flows.Call{
			Verb: flows.Submit, ID: 1, Stream: bytes.NewReader(make([]byte, 4)), StreamBytes: 4,
		})
		if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.Timeout {
			t.Errorf("the call ends as %v, %s (%v)", o, class, err)
		}
		if err := k.Sleep(ctx, 10*ms); err != nil {
			t.Error(err)
		}
		if o, class := flows.OutcomeOf(broke); o != flows.Undecided || class != flows.Disconnected {
			t.Errorf("the body ends as %v, %s (%v); want unknown, disconnected", o, class, broke)
		}
	}, func(ctx context.Context, c flows.Call) (flows.Answer, error) {
		_, _ = kernel.Promise().Wait(ctx) // until the client is heard to have left
		_, broke = io.ReadAll(c.Stream)
		return flows.Answer{}, broke
	})
}
