package des

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Stream returns the random numbers of one role, such as "arrivals" or
// "link/client-3". Streams of different roles, and of different seeds, have
// nothing in common, and a role's numbers depend on nothing but the seed and its
// name: whatever else a model draws, and in which order, does not shift them.
// That is what makes two variants of a model comparable run by run.
func Stream(seed uint64, role string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(role)) // never an error
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// A Draw is a distribution of times: what a stream says, as a time.
type Draw func(stream *rand.Rand) time.Duration

// Constant returns a distribution of one value, which takes no random numbers.
func Constant(d time.Duration) Draw { return func(*rand.Rand) time.Duration { return d } }

// Exponential returns the exponential distribution.
func Exponential(mean time.Duration) Draw {
	return func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(mean)) }
}
