package transcript

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid draws e as a sequence diagram in the language of mermaid.js, without
// the fence that Markdown wants around it. Only who takes part in e is shown.
func (t Transcript) Mermaid(e Episode) string {
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	cast := t.Cast(e)
	// Names may hold what the language takes for arrows, so everybody gets an
	// alias that cannot.
	alias := func(name string) string { return fmt.Sprintf("p%d", slices.Index(cast, name)) }
	for _, name := range cast {
		fmt.Fprintf(&b, "    participant %s as %s\n", alias(name), escape(name))
	}
	for _, s := range e.Steps {
		switch s.Form {
		case Note:
			fmt.Fprintf(&b, "    Note over %s: %s\n", alias(s.From), escape(s.Text))
		case Outcome:
			fmt.Fprintf(&b, "    Note over %s: outcome: %s\n", alias(s.From), escape(s.Text))
		default:
			fmt.Fprintf(&b, "    %s%s%s: %s\n", alias(s.From), arrow(s.Form), alias(s.To), escape(s.Text))
		}
	}
	return b.String()
}

// arrow returns how mermaid.js writes the arrow of a form.
func arrow(f Form) string {
	return map[Form]string{Telling: "->>", Reply: "-->>", Lost: "-x", LostReply: "--x"}[f]
}

// escape writes what the language would take for its own as character entities,
// which it writes with a hash and a semicolon.
func escape(s string) string {
	return strings.NewReplacer("#", "#35;", ";", "#59;", "<", "#60;", ">", "#62;", "%", "#37;").Replace(s)
}
