package plot

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// fontFamilies is what figures are set in: their own font, or one that is about as
// wide, where letters neither touch nor stand apart at the width that texts are held to.
const fontFamilies = `'Liberation Sans',Arial,Helvetica,'DejaVu Sans Condensed',sans-serif`

// WriteSVG draws f as an SVG file on white. It has a view box and no size, so it
// fills the room that it is given.
func (f Figure) WriteSVG(w io.Writer) error {
	body, err := f.svg(f.draw)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "<svg xmlns=\"http://www.w3.org/2000/svg\" %s>\n%s</svg>\n", f.head(0), body)
	if err != nil {
		return fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	return nil
}

// Inline returns f as an SVG element for a page. Its background is the page's,
// and its colours are CSS variables; [Variables] lists them.
func (f Figure) Inline() (string, error) {
	body, err := f.svg(f.paint)
	if err != nil {
		return "", err
	}
	// A page says once what holds for all texts; see Style.
	body = strings.ReplaceAll(withVariables(body), ` transform="scale(1, -1)" style="font`, ` style="font`)
	return fmt.Sprintf("<svg class=\"figure\" %s>\n%s</svg>\n", f.head(margin-inlineMargin), body), nil
}

// inlineMargin is what is left of the margins at both sides in a page, which has
// margins of its own.
const inlineMargin vg.Length = 7

// head returns the attributes and the first children of f's SVG element, with
// crop taken off both sides.
func (f Figure) head(crop vg.Length) string {
	id := "figure-" + f.Name
	return fmt.Sprintf(`viewBox="%g 0 %g %g" role="img" aria-labelledby="%s-title %s-desc" font-family="%s">
<title id="%s-title">%s</title><desc id="%s-desc">%s</desc`,
		crop.Points(), (figureWidth - 2*crop).Points(), f.height.Points(), id, id, fontFamilies,
		id, html.EscapeString(f.Title), id, html.EscapeString(f.Alt))
}

// svg draws a figure and returns the content of its SVG element: without the
// prolog, which a page must not contain, and with fonts left to the element.
func (f Figure) svg(draw func(*sheet)) (string, error) {
	c := vgsvg.New(figureWidth, f.height)
	sh := newSheet(c)
	draw(sh)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	s := b.String()
	s = s[max(0, strings.Index(s, "<g ")):]
	s = strings.TrimSuffix(strings.TrimSpace(s), "</svg>")
	s = strings.ReplaceAll(
		s,
		"font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;",
		"",
	)
	s = strings.ReplaceAll(s, "font-family:Liberation Sans;font-variant:normal;font-weight:bold;font-style:normal;",
		"font-weight:bold;")
	s = shortened(withLengths(shortText(s), sh.labels))
	return withPictures(strings.ReplaceAll(s, "\n\tstyle=", " style="), sh.pictures), nil
}

// withLengths gives each text the width that it was measured to have, so that it keeps
// it where there is none of the fonts and another is taken.
func withLengths(s string, labels []label) string {
	const begin = "<text "
	parts := strings.Split(s, begin)
	if len(parts) != len(labels)+1 {
		return s // a figure wrote text that it did not measure
	}
	var b strings.Builder
	b.WriteString(parts[0])
	for i, l := range labels {
		b.WriteString(begin)
		if len(l.text) > 2 { // what is shorter hardly changes
			fmt.Fprintf(&b, `textLength="%s" `, tenth(int(math.Round(10*l.box.Size().X.Points()))))
		}
		b.WriteString(parts[i+1])
	}
	return b.String()
}

// Style is what the style sheet of a page with inlined figures must say, besides the
// variables.
const Style = "svg.figure text { transform: scale(1, -1); }"

// A Variable is a CSS variable that inlined figures take a colour from.
type Variable struct {
	Name  string // such as --fig-blue
	Light string // its colour on white, such as #0072b2
}

// Variables returns the variables that a page with inlined figures defines.
func Variables() []Variable {
	var all []Variable
	for i := range numInks {
		s := i.spec()
		all = append(all, Variable{"--fig-" + s.name, fmt.Sprintf("#%02x%02x%02x", s.rgb.R, s.rgb.G, s.rgb.B)})
	}
	return all
}

// withVariables replaces each colour in style attributes by its variable. The
// canvas computes colours with an opacity to and fro and may miss by one, so the
// nearest ink is the one that was meant.
func withVariables(s string) string {
	colour := regexp.MustCompile(`(style="[^"]*)`)
	hex := regexp.MustCompile(`(fill|stroke):#([0-9A-F]{6})`)
	return colour.ReplaceAllStringFunc(s, func(style string) string {
		return hex.ReplaceAllStringFunc(style, func(m string) string {
			key, value, _ := strings.Cut(m, ":#")
			return key + ":var(--fig-" + nearest(value).spec().name + ")"
		})
	})
}

// nearest returns the ink that looks most like a colour.
func nearest(hex string) ink {
	v, _ := strconv.ParseUint(hex, 16, 32)
	c := rgb(uint32(v))
	best, distance := paper, 1<<30
	for i := range numInks {
		s := i.spec().rgb
		d := square(c.R, s.R) + square(c.G, s.G) + square(c.B, s.B)
		if d < distance {
			best, distance = i, d
		}
	}
	return best
}

func square(a, b uint8) int { return (int(a) - int(b)) * (int(a) - int(b)) }
