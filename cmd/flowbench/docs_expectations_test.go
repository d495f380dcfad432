package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"flowbench/results/expect"
)

// grammarOf returns the grammar of expectations from where it is documented.
func grammarOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../results/expect/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "The grammar:\n//\n")
	grammar, _, end := strings.Cut(after, "//\n// A statement ends")
	if !ok || !end {
		t.Fatal("the documentation of package expect has no grammar where it is looked for")
	}
	return strings.ReplaceAll(grammar, "//\t", "")
}

// expectationsDoc says what can be expected, and how.
func expectationsDoc(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprint(&b, "# Expectations\n", generated, `
What a run has to show, so that its exit code, and not a reader, says whether it did:

`+"```yaml"+`
expect:
  - lost == 0
  - answered.command.p99 <= 50ms
  - proxy-sync.answered.p99 <= 2 * direct.answered.p99
  - answered.p99[fault] <= 200ms
  - answered.p99 vs baseline < +10% and +1ms
  - {statement: unexpected == 0, abort: true}
`+"```"+`

`+"`--expect STATEMENT`"+` adds one on the command line, also to `+"`flowbench report DIR`"+` and
`+"`flowbench check DIR`"+`, which judge a run that is over. Statements are read before a run
begins; a slip ends flowbench with exit code 3 and the place of the character.

## How they are judged

A statement is about every cell that has what it speaks of, or about those that it names:
by flow, as in `+"`proxy-sync.lost`"+`, and by broker, edge, way of payloads or store, each behind an
`+"`@`"+`, as in `+"`proxy-sync@rabbitmq.lost`"+` or `+"`@nats.lost`"+`. Where a scenario speaks of flows that the
command line leaves out, the statement is left out as well. Repeats of a cell are judged
together, on merged histograms and summed counts.

| verdict | meaning | exit code |
|---|---|---|
| held | it holds in every cell that it is about | 0 |
| failed | it does not hold in one of them | 1 |
| cannot tell | the numbers do not carry it | 2, unless another failed |

It cannot be told where fewer than ten samples lie beyond a percentile, where the cell is
not valid, where a fault met nothing, where the machine was busy with something else (the
canary, pressure or steal are beyond their limits; only times and rates depend on that),
and where nothing was measured that the statement is about. What is counted one by one,
marked *exact* below, does not get wrong by a late generator: a loss is a loss in a cell
that is not valid. That nothing was lost can only be said once the drain is proven, and so
can that something was: until then it may only be late. Of a cell that was cut short, what has
passed its bound and can but grow has failed; what has not reached a number yet cannot be told.

A promise that a flow broke ends a run with 1 as well, whether or not anything was expected.

Between flows, cells are compared that have the same broker, edge, way of payloads, store
and size, as far as both have one: `+"`direct`"+` is compared with each broker of the other flow.

With `+"`[window]`"+`, a metric is of the operations that were due in the warm-up, the steady time,
a fault, or the recovery from it. A cell without faults is steady all along.

With `+"`vs baseline`"+`, each cell is compared with itself in the run that `+"`--baseline`"+` names: the
directory of a run, or `+"`REF:DIR`"+`, a directory as a git reference has it. A change fails only
beyond every allowance: `+"`< +10% and +1ms`"+` fails where the rise is more than 10 % and also more
than 1 ms. Another scenario or another machine cannot be compared with. Without a
baseline, such statements of a scenario are left out. One run on either side is one
observation: `+"`flowbench compare`"+` says what repeated runs say.

With `+"`abort: true`"+`, the run ends as soon as the statement can no longer hold: at once for
counts that can but grow, such as `+"`unexpected`"+`, `+"`duplicated`"+`, `+"`failed`"+` or `+"`dropped`"+`, and for all
else when a cell has ended.

## Grammar

`+"```text\n")
	b.WriteString(grammarOf(t))
	fmt.Fprint(&b, "```\n\n## Metrics\n\n"+
		"`pN` is any percentile from `p0.1` to `p99.999`, or `max`. `flowbench list metrics` lists them as well.\n\n"+
		"| metric | of | unit | |\n|---|---|---|---|\n")
	for _, m := range expect.Metrics() {
		var marks []string
		if m.Exact {
			marks = append(marks, "exact")
		}
		if m.Windowed {
			marks = append(marks, "by window")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.About, m.Unit, strings.Join(marks, ", "))
	}
	return b.Bytes()
}
