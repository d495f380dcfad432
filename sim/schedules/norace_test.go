//go:build !race

package schedules

// raced says whether the race detector is at work.
const raced = false
