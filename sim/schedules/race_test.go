//go:build race

package schedules

// raced says that the race detector is at work. The Go runtime then keeps 6 KB of
// every coroutine that there ever was, of which a thousand schedules make millions.
const raced = true
