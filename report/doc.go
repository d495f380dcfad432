// Package report shows a run to people: as one HTML page that a review meeting
// can decide from, as tables on a terminal, as CSV for a spreadsheet, and as
// plots for slides and READMEs.
//
// All forms are rendered from [results.Run] alone and show the same numbers in
// the same order: first what was found, then what was promised, then how the
// latencies are distributed, then whether the measurement may be trusted, and
// last what it takes to run it again. What qualifies a number stands beside it:
// quantiles with fewer than ten samples beyond them are in parentheses, cells
// that are not valid say why and take no part in the verdict, and what a flow
// does not have is absent instead of zero.
//
// In a run whose payloads differ in size, or in how they travel, the question is
// from which size on which way is better. Such a run is told by flow and broker, way
// and size; with many cells none of them is shown by itself unless it must be read
// with care.
//
// The page is a single file that loads nothing: no script, no font, no image
// from anywhere, and a content security policy that says so. It has one script of
// its own, which the policy allows by its hash and without which it is complete: it
// sorts tables. Its figures are inlined as SVG in the reader's colour scheme. Rendering the same run twice
// gives the same bytes.
//
// One file holds one section of the page. Names and messages in a run are other
// people's text; they are cleaned once, on the way in, and escaped by the
// templates on the way out.
package report
