package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Absent stands where there is no value. It is not 0, and no form of the report
// shows it as 0.
const Absent = "–"

// Duration returns d with three significant digits, in µs, ms or s.
func Duration(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	if us == 0 {
		return "0 µs"
	}
	for _, u := range []struct {
		scale float64
		name  string
	}{{1, "µs"}, {1e3, "ms"}} {
		if v := us / u.scale; math.Abs(v) < 999.5 {
			return Digits(v) + " " + u.name
		}
	}
	return Digits(us/1e6) + " s"
}

// Digits returns v with three significant digits, and all digits of its integer
// part, separated by commas.
func Digits(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 999.5:
		return Count(int64(math.Round(v)))
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Count returns n with its thousands separated by commas.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Bytes returns n bytes with three significant digits.
func Bytes(n float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if n < 999.5 {
			return Digits(n) + " " + unit
		}
		n /= 1000
	}
	return Digits(n) + " GB"
}

// Size returns a size that somebody chose, in the largest binary unit that it is a
// whole number of.
func Size(n int) string {
	v, unit := sizeUnit(n)
	return strconv.Itoa(v) + " " + unit
}

func sizeUnit(n int) (int, string) {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return n >> 20, "MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return n >> 10, "KiB"
	}
	return n, "B"
}

// Share returns v, between 0 and 1, as a percentage. A negative share is one
// that nobody knows.
func Share(v float64) string {
	switch {
	case v < 0 || math.IsNaN(v):
		return Absent
	case v == 0:
		return "0 %"
	case v < 0.001:
		return "< 0.1 %"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
}

// Optional returns f of the number, or Absent where there is none.
func Optional(v *float64, f func(float64) string) string {
	if v == nil {
		return Absent
	}
	return f(*v)
}

// Plural returns "1 cell" or "2 cells".
func Plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}

// List joins words as a sentence does: "a, b and c".
func List(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// Percentile returns the short name of quantile p: "p99.9".
func Percentile(p float64) string {
	if p >= 1 {
		return "max"
	}
	return "p" + strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", 100*p), "0"), ".")
}
