package plot

import (
	"math"
	"slices"
	"strconv"
)

// Long lists of numbers are most of what a page weighs. They are packed where that
// loses nothing: two characters of base64's alphabet for URLs each, which is a number
// below 4096, after a letter and a number that say what it stands for.
//
//	w and the least of all    how much more than that each number is
//	d and a power of ten P    0 for 0, else 1 + 900 e + n - 100 for n 10^(P+e), where n has three digits
const (
	packsBelow = 64 * 64
	mantissas  = 900                    // from 100 to 999
	powers     = packsBelow / mantissas // of ten that fit
	minPacked  = 12                     // numbers; fewer are no shorter
	leastPower = -300                   // of ten; below it, powers of ten are hardly numbers any more
)

// packedWholes packs whole numbers that lie close enough to each other.
func packedWholes(all []float64) (string, bool) {
	if len(all) < minPacked {
		return "", false
	}
	least := math.Round(slices.Min(all))
	if !(math.Round(slices.Max(all))-least < packsBelow) {
		return "", false
	}
	b := strconv.AppendFloat([]byte{'w'}, least, 'f', -1, 64)
	b = append(b, ':')
	for _, v := range all {
		b = appendPacked(b, int(math.Round(v)-least))
	}
	return string(b), true
}

// packedDigits packs numbers of three digits that lie within a few powers of ten.
func packedDigits(all []float64) (string, bool) {
	if len(all) < minPacked {
		return "", false
	}
	low, high := math.MaxInt, math.MinInt
	for _, v := range all {
		if n, power := threeDigits(v); n > 0 {
			low, high = min(low, power), max(high, power)
		}
	}
	if low > high {
		low, high = 0, 0
	}
	if high-low >= powers || low < leastPower {
		return "", false
	}
	b := strconv.AppendInt([]byte{'d'}, int64(low), 10)
	b = append(b, ':')
	for _, v := range all {
		code := 0
		if n, power := threeDigits(v); n > 0 {
			code = 1 + mantissas*(power-low) + n - 100
		}
		b = appendPacked(b, code)
	}
	return string(b), true
}

func appendPacked(b []byte, n int) []byte { return append(b, heatAlphabet[n>>6], heatAlphabet[n&63]) }

// threeDigits returns v as n times a power of ten, where n is from 100 to 999, or as 0.
func threeDigits(v float64) (n, power int) {
	if !(v > 0) || math.IsInf(v, 0) {
		return 0, 0
	}
	s := strconv.AppendFloat(make([]byte, 0, 12), v, 'e', 2, 64) // as in 1.23e-05
	exponent, _ := strconv.Atoi(string(s[5:]))
	return 100*int(s[0]-'0') + 10*int(s[2]-'0') + int(s[3]-'0'), exponent - 2
}
