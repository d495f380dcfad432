package scenarios

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as "250ms" in YAML and JSON.
type Duration time.Duration

// String returns the duration with its units and without zero parts: 1h, not
// 1h0m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the duration as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration with its unit. A number without a unit is an
// error that says so, and so is a negative duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, ok := parseDuration(string(text))
	if !ok {
		return fmt.Errorf("%s is not a duration; want a number and its unit, such as 250ms", quote(string(text)))
	}
	*d = v
	return nil
}

// durationPattern is what parseDuration accepts, but for overflow.
const durationPattern = `^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`

// parseDuration reads what durationPattern describes. Unlike the standard
// library it takes neither signs nor a zero without a unit.
func parseDuration(text string) (Duration, bool) {
	if text == "" || text == "0" || text[0] == '-' || text[0] == '+' {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return Duration(d), err == nil
}

func (d Duration) seconds() float64 { return time.Duration(d).Seconds() }
