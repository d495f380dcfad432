package plot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// shortened returns an SVG in which paths are as short as they can be: to a tenth of a
// point, from point to point, and those of one style that follow each other as one.
func shortened(s string) string {
	path := regexp.MustCompile(`<path d="([^"]*)" (style="[^"]*") />`)
	var b strings.Builder
	style, end := "", 0
	finish := func() {
		if style != "" {
			b.WriteString(`" ` + style + "/>")
			style = ""
		}
	}
	for _, m := range path.FindAllStringSubmatchIndex(s, -1) {
		between, d, its := s[end:m[0]], s[m[2]:m[3]], s[m[4]:m[5]]
		end = m[1]
		// Areas may overlap, and what is see-through adds up where it does.
		if its != style || strings.TrimSpace(between) != "" || !strings.Contains(its, "fill:none") {
			finish()
			b.WriteString(strings.TrimRight(between, "\n") + "\n" + `<path d="`)
			style = its
		}
		b.WriteString(shortPath(d))
	}
	finish()
	b.WriteString(s[end:])
	return b.String()
}

// shortPath returns a path of straight lines in tenths and from point to point, and any
// other path as it is. Rounding does not add up: each point is rounded where it is.
func shortPath(whole string) string {
	d := whole
	if strings.ContainsAny(d, "ACQe") {
		return whole
	}
	var b strings.Builder
	var x, y int // in tenths
	absolute := true
	for d != "" {
		end := 1 + strings.IndexAny(d[1:]+"M", "MLZ")
		part := d[:end]
		if d = d[end:]; part[0] == 'Z' {
			b.WriteByte('z')
			absolute = true // what follows begins where the area did
			continue
		}
		xs, ys, _ := strings.Cut(part[1:], ",")
		toX, errX := strconv.ParseFloat(xs, 64)
		toY, errY := strconv.ParseFloat(ys, 64)
		if errX != nil || errY != nil {
			return whole
		}
		tx, ty := int(math.Round(10*toX)), int(math.Round(10*toY))
		switch to, by := pair(tx, ty), pair(tx-x, ty-y); {
		case part[0] == 'M' && (absolute || len(to) <= len(by)):
			b.WriteString("M" + to)
			absolute = false
		case part[0] == 'M':
			b.WriteString("m" + by)
		case tx == x && ty == y:
		case ty == y:
			b.WriteString("h" + tenth(tx-x))
		case tx == x:
			b.WriteString("v" + tenth(ty-y))
		default:
			b.WriteString("l" + by)
		}
		x, y = tx, ty
	}
	return b.String()
}

// pair returns two numbers of tenths, with a comma where they would run together.
func pair(x, y int) string {
	if y < 0 {
		return tenth(x) + tenth(y)
	}
	return tenth(x) + "," + tenth(y)
}

// tenth returns a number of tenths, as short as SVG lets it be.
func tenth(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	if n > -10 && n < 10 && n != 0 {
		return strings.Replace(s, "0.", ".", 1)
	}
	return s
}

// shortText returns an SVG in which texts are placed to a tenth of a point.
func shortText(s string) string {
	place := regexp.MustCompile(`<text x="([^"]*)" y="([^"]*)"`)
	return place.ReplaceAllStringFunc(s, func(old string) string {
		m := place.FindStringSubmatch(old)
		x, errX := strconv.ParseFloat(m[1], 64)
		y, errY := strconv.ParseFloat(m[2], 64)
		if errX != nil || errY != nil {
			return old
		}
		return fmt.Sprintf(`<text x="%s" y="%s"`, tenth(int(math.Round(10*x))), tenth(int(math.Round(10*y))))
	})
}
