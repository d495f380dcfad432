package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// The widths that help is written for: no terminal is too narrow to try, and longer
// lines are hard to read.
const (
	leastHelpWidth = 60
	mostHelpWidth  = 100
)

func helpWidth(width int) int { return min(max(width, leastHelpWidth), mostHelpWidth) }

func (v verb) writeHelp(w io.Writer, f *pflag.FlagSet, width int) {
	usage := strings.Join(strings.Fields("flowbench "+v.name+" [FLAGS] "+v.args), " ")
	if !f.HasFlags() {
		usage = strings.Replace(usage, " [FLAGS]", "", 1)
	}
	fmt.Fprintf(w, "flowbench %s: %s\n\nUsage:\n  %s\n", v.name, v.summary, usage)
	if v.long != "" {
		for paragraph := range strings.SplitSeq(strings.TrimSpace(v.long), "\n\n") {
			fmt.Fprintln(w)
			for _, line := range wrapped(paragraph, helpWidth(width)) {
				fmt.Fprintln(w, line)
			}
		}
	}
	if f.HasFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", flagUsages(f, helpWidth(width)))
	}
}

// flagUsages returns the usages of all flags, as they are written on a command line: a
// switch by its name alone, and a value that may be left out behind the sign that it
// takes.
func flagUsages(f *pflag.FlagSet, width int) string {
	text := strings.ReplaceAll(f.FlagUsagesWrapped(width), "[=true|false]", strings.Repeat(" ", len("[=true|false]")))
	optional := regexp.MustCompile(`(--\S+) (\S+)(\[="[^"]*"\])`)
	return optional.ReplaceAllStringFunc(text, func(found string) string {
		m := optional.FindStringSubmatch(found)
		short := m[1] + "[=" + m[2] + "]"
		return short + strings.Repeat(" ", len(found)-len(short))
	})
}

func writeHelp(w io.Writer, width int) error {
	fmt.Fprint(w, `flowbench runs messaging flows for real, under load, and compares them.

  flowbench run                      compare the main flows on embedded brokers
  flowbench run --brokers rabbitmq   the same on RabbitMQ
  flowbench list flows               what there is to compare

Verbs:
`)
	var rows [][]string
	for _, v := range verbs() {
		args := v.args
		if strings.Count(args, "|") > 1 { // its own help lists them
			args = "WHAT"
		}
		rows = append(rows, []string{strings.TrimSpace(v.name + " " + args), v.summary})
	}
	if err := writeRows(w, "  ", rows, helpWidth(width)); err != nil {
		return err
	}
	fmt.Fprint(w, "\nExit codes:\n")
	rows = nil
	for _, c := range exitCodes() {
		rows = append(rows, []string{fmt.Sprint(c.code), c.meaning})
	}
	if err := writeRows(w, "  ", rows, helpWidth(width)); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, "\nEach verb explains itself: flowbench VERB --help\n")
	return err
}

// writeRows writes rows in columns, the last of which takes as many lines as it needs
// to stay within a width.
func writeRows(w io.Writer, indent string, rows [][]string, width int) error {
	left := utf8.RuneCountInString(indent)
	for column := 0; len(rows) > 0 && column < len(rows[0])-1; column++ {
		widest := 0
		for _, r := range rows {
			widest = max(widest, utf8.RuneCountInString(r[column]))
		}
		left += widest + columnGap
	}
	tw := tabwriter.NewWriter(w, 0, 8, columnGap, ' ', 0)
	for _, r := range rows {
		last := len(r) - 1
		for i, line := range wrapped(r[last], max(width-left, leastHelpWidth/3)) {
			lead := strings.Join(r[:last], "\t")
			if i > 0 {
				lead = strings.Repeat("\t", last-1)
			}
			fmt.Fprintf(tw, "%s%s\t%s\n", indent, lead, line)
		}
	}
	return tw.Flush()
}

const columnGap = 2

// wrapped returns text in lines of at most a width, as far as its words allow.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
