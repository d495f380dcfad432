// Package words is how every form of the report says things: durations and
// counts, the name of a cell, the stage that a kind of operation ends at, and
// which quantiles are findings.
//
// The page, the terminal, the CSV file and the plots show the same numbers, and
// a reader goes from one to the other. So a latency is rounded in one place, an
// absent value looks the same everywhere, and the same cell has the same name
// in every table and above every curve.
//
// Names come from scenarios and messages come from brokers. They are other
// people's text, so [Clean] takes out whatever a terminal, an XML parser or a
// reader's eye would take for something else.
package words
