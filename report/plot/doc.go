// Package plot draws the static figures of a run: interval plots, percentile
// curves, histograms, latency over time and the generator's send lag.
//
// Each figure answers one question and is drawn for one kind of operation,
// because commands and queries take different ways in many flows. Latencies are
// positions on a common logarithmic scale, which is what eyes compare best;
// there are no stacked bars, no second axes and no legends to look up. Up to five
// cells share a panel, each with a hue, a dash and its name at the end of its
// curve. More cells become one panel for each broker, or one for each cell with
// the others in grey. What the samples do not resolve is drawn faint.
//
// Figures over the sizes of payloads have one panel for each flow and broker, in
// which each way for payloads to travel has a hue, a dash and a marker, and its name
// at the end of its line.
//
// Sequence diagrams show how a flow works: who tells whom what, from above to below.
// They are drawn from the steps that a run keeps, and measure nothing.
//
// The canvases, the fonts and the scales are those of gonum/plot. The layout is
// this package's own: gonum's does not keep margins around titles, reserves room
// for labels at the wrong place on logarithmic axes and cannot say where a label
// went, whereas here every label is measured before it is placed, which is how a
// test can hold them apart.
//
// A figure is written as PNG, as an SVG file, or as SVG for a page: there its
// colours are CSS variables, so that the page decides what they look like in the
// dark, and its text is real text in a role that screen readers announce.
package plot
