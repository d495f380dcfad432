package expect

import (
	"fmt"
	"math"
	"strconv"
)

// A Unit is what a metric is counted in.
type Unit uint8

// The units.
const (
	None  Unit = iota // a number
	Time              // nanoseconds; written 50ms
	Share             // parts of one; written 1%
	Rate              // per second; written 100/s
	Bytes             // written 4KiB
)

// String returns the unit in a word or two.
func (u Unit) String() string { return [...]string{"number", "time", "share", "rate", "bytes"}[u] }

// described says what a metric of the unit is.
func (u Unit) described() string {
	return [...]string{"a number", "a time", "a share", "a rate", "a size in bytes"}[u]
}

// example says how a quantity of the unit is written.
func (u Unit) example() string {
	return [...]string{"a number without unit, such as 0", "a time such as 50ms", "a share such as 1%",
		"a rate such as 100/s", "a size such as 4KiB"}[u]
}

// A scaled is a unit as it is written, with its size in the base of the unit: times,
// moved by so many powers of ten.
type scaled struct {
	unit  Unit
	power int
	times float64
}

// size returns how many of the base there are in one of the unit.
func (s scaled) size() float64 { return s.times * math.Pow10(s.power) }

// read returns a decimal number of the unit in its base. The power of ten is part of
// what is read, and not multiplied with: 99.9 % has to be the same as 999 of 1000.
func (s scaled) read(number string) (float64, error) {
	v, err := strconv.ParseFloat(number+"e"+strconv.Itoa(s.power), 64)
	return v * s.times, err
}

func units() map[string]scaled {
	return map[string]scaled{
		"ns": {Time, 0, 1}, "us": {Time, 3, 1}, "µs": {Time, 3, 1}, "ms": {Time, 6, 1}, "s": {Time, 9, 1},
		"m": {Time, 9, 60},
		"%": {Share, -2, 1}, "/s": {Rate, 0, 1},
		"B": {Bytes, 0, 1}, "kB": {Bytes, 3, 1}, "KiB": {Bytes, 0, 1 << 10}, "MB": {Bytes, 6, 1},
		"MiB": {Bytes, 0, 1 << 20},
	}
}

// unitNames returns the units in the order in which the grammar lists them.
func unitNames() []string {
	return []string{"ns", "us", "µs", "ms", "s", "m", "%", "/s", "B", "kB", "KiB", "MB", "MiB"}
}

// How many significant digits people are shown: of what was measured, and of what
// they wrote themselves.
const (
	measuredDigits = 3
	writtenDigits  = 12
)

// apart writes what was measured and its limit, so that they look different where
// they are: "99.94 % of 99.95 %", and not "99.9 % of 99.9 %". A limit that was written
// in the statement is written like that again.
func (u Unit) apart(measured, limit float64, written bool) (string, string) {
	n := measuredDigits
	if written {
		n = writtenDigits
	}
	a, b := u.format(measured, measuredDigits), u.format(limit, n)
	for d := measuredDigits + 1; a == b && measured != limit && d <= writtenDigits; d++ {
		a, b = u.format(measured, d), u.format(limit, max(d, n))
	}
	return a, b
}

// format writes a value of the unit for people, with so many significant digits.
func (u Unit) format(v float64, n int) string {
	if math.IsInf(v, 1) {
		return "never"
	}
	switch u {
	case Time:
		for _, name := range []string{"s", "ms"} {
			if size := units()[name].size(); math.Abs(v) >= size {
				return digits(v/size, n) + " " + name
			}
		}
		return digits(v/1e3, n) + " µs"
	case Share:
		return digits(100*v, n) + " %"
	case Rate:
		return digits(v, n) + "/s"
	case Bytes:
		return digits(v, n) + " B"
	}
	return digits(v, n)
}

func digits(v float64, n int) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	if math.Abs(v) >= math.Pow10(n) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return fmt.Sprintf("%.*g", n, v)
}
