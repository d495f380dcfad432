package expect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStatementsAreReadWhateverTheirForm(t *testing.T) {
	for _, text := range []string{
		"lost == 0", "answered.command.p99 <= 50ms", "answered.p99.9 < 1.5s", "answered.max<=2s", "stale.share < 1%",
		"recover <= 5s", "cost.broker_msgs <= 2", "proxy-sync.answered.p99 <= 2 * direct.answered.p99",
		"answered.p99[fault] <= 200ms", "ok.share[steady] >= 99.9%", "proxy-sync@rabbitmq@graphql.lost == 0",
		"@jetstream.duplicated != 1", "answered.p99 vs baseline < +10% and +1ms", "rate.ok vs baseline >= -5%",
		"rate.ok >= 100/s", "cost.http_bytes <= 4KiB", "@nats-object.last_byte.p50 <= 1m", "commands.ok >= 100",
		"broken == 0", "  lost == 0  ", "answered.p50 <= 300µs",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if s.String() != strings.TrimSpace(text) {
			t.Errorf("%s became %s; want it as it was", text, s)
		}
	}
}

// TestErrorsPointAtTheCharacter marks the place in each statement with ^.
func TestErrorsPointAtTheCharacter(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"^", "the statement ends where a metric belongs; want such as answered.p99 or lost"},
		{"lost ^= 0", "a single = compares nothing; want =="},
		{"lost ^# 0", "'#' has no place in a statement; want such as lost == 0"},
		{"lost ^0", `"0" stands where a comparison belongs; want <=, <, >=, >, == or !=`},
		{"lost ==^", "the statement ends where a metric belongs; want such as answered.p99 or lost"},
		{"lost == 0 ^0", `"0" stands after the end of the statement; want nothing more`},
		{"lost == ^5%", "lost is a number; want a number without unit, such as 0"},
		{"answered.p99 <= ^5", "answered.p99 is a time; want a time such as 50ms"},
		{"answered.p99 <= 5^sec", `there is no unit "sec"; want ns, us, µs, ms, s, m, %, /s, B, kB, KiB, MB or MiB`},
		{"^answred.p99 <= 5ms", `there is no metric "answred.p99"; did you mean answered.p99?`},
		{"^answered.p999 <= 5ms", `there is no metric "answered.p999"; want answered.p99, answered.command.p99 or ` +
			`answered.query.p99`},
		{"^answered.p0 <= 5ms", "p0 is no percentile; want one from p0.1 to p99.999, or max"},
		{"^losst == 0", `there is no metric "losst"; did you mean lost?`},
		{"^frobnicate == 0", `there is no metric "frobnicate"; want such as answered.p99, ok.share, lost or recover ` +
			`(docs/expectations.md lists them)`},
		{"answered.p99[^noon] <= 5ms", `"noon" stands where a window is named; want warm-up, steady, fault or ` +
			`recovery`},
		{"recover[^fault] <= 5s", "recover is not known by window; want it without [fault]"},
		{"answered.command.p99[^fault] <= 5s", "answered.command.p99 is not known by window; want it without [fault]"},
		{"lost[fault ^== 0", `"==" stands where the window ends; want ]`},
		{"^0 == lost", "the statement begins with a quantity; want the metric first, such as lost == 0"},
		{"lost <= ^2ms * lost", "a factor has no unit; want such as 2 * direct.answered.p99"},
		{"direct.lost <= ^proxy-sync.answered.p99", "answered.p99 is a time and lost is a number; want the same on " +
			"both " +
			"sides"},
		{"lost vs ^main < +1%", `"main" stands where the other run is named; want vs baseline`},
		{"^2 * lost vs baseline < +1%", "a multiple is compared with a baseline; want the metric itself"},
		{"answered.p99 vs baseline < ^10%", `"10" stands where a change belongs; want it with its sign, such as +10%`},
		{"answered.p99 vs baseline < +^3", "answered.p99 is a time; want a change in %, or a time such as 50ms"},
		{"answered.p99 vs baseline < +1% and +1ms and ^+2ms", "a third change is given; want at most a relative and " +
			"an " +
			"absolute one"},
		{"^answered.p99 vs baseline == +1%", "answered.p99 is compared with a baseline by ==; want <=, <, >= or >"},
		{"direct@nats ^lost == 0", `"lost" stands behind the cells; want a dot and the metric, such as .answered.p99`},
		{"direct@^.lost == 0", `"." stands behind @; want a broker, an edge, a way of payloads or a store`},
		{strings.Repeat("x", maxStatement) + "^x", "the statement has 501 bytes; want at most 500"},
	} {
		at := strings.Index(tt.text, "^")
		_, err := Parse(tt.text[:at] + tt.text[at+1:])
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v; want an error at the mark", tt.text, err)
			continue
		}
		if e.At != at || e.Msg != tt.want {
			t.Errorf("%s:\n got %d: %s\nwant %d: %s", tt.text, e.At, e.Msg, at, tt.want)
		}
	}
}

func TestNamesThatDoNotExistAreErrors(t *testing.T) {
	known := Known{Flows: []string{"direct", "proxy-sync"}, Names: []string{"nats", "rabbitmq", "rest", "inline"}}
	cells := []Named{{"direct", []string{"", "rest", "inline", ""}}}
	for _, tt := range []struct {
		text, want string
		concerns   bool
	}{
		{"lost == 0", "", true},
		{"direct.lost == 0", "", true},
		{"proxy-sync.lost == 0", "", false},
		{"@nats.lost == 0", "", false},
		{"direct@rest.lost == 0", "", true},
		{"direct.lost <= proxy-sync.lost", "", false},
		{"direkt.lost == 0", `0: there is no flow "direkt"; nor does a metric begin so; did you mean direct?`, false},
		{"direct@rabitmq.lost == 0",
			`7: there is no broker, edge, way of payloads or store "rabitmq"; did you mean rabbitmq?`, false},
		{"direct.lost <= 2 * @x.lost", `20: there is no broker, edge, way of payloads or store "x"; want nats, ` +
			`rabbitmq, ` +
			`rest or inline`, false},
	} {
		s, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		concerns, err := s.Check(known, cells)
		got := ""
		var e *Error
		if errors.As(err, &e) {
			got = fmt.Sprintf("%d: %s", e.At, e.Msg)
		}
		if concerns != tt.concerns || got != tt.want {
			t.Errorf("%s: concerns %v, %s; want %v, %s", tt.text, concerns, got, tt.concerns, tt.want)
		}
	}
}

func TestEveryMetricCanBeStated(t *testing.T) {
	for _, m := range Metrics() {
		quantity := map[Unit]string{None: "1", Time: "1ms", Share: "1%", Rate: "1/s", Bytes: "1KiB"}[m.Unit]
		name := strings.ReplaceAll(m.Name, "pN", "p99")
		for _, text := range []string{
			name + " <= " + quantity, "direct." + name + " > " + quantity, "@nats." + name + " <= 2 * direct." + name,
			name + " vs baseline < +5%",
		} {
			if _, err := Parse(text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		_, err := Parse(name + "[fault] <= " + quantity)
		if (err == nil) != m.Windowed {
			t.Errorf("%s by window: %v; want it to be possible: %v", name, err, m.Windowed)
		}
		if m.About == "" {
			t.Errorf("%s does not say what it is about", name)
		}
	}
}

// FuzzParse looks for statements that break the reader. What is read is read again
// alike; what is not says where.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"lost == 0", "proxy-sync@nats.answered.p99.9[fault] <= 2 * direct.answered.p99",
		"answered.p99 vs baseline < +10% and +1ms", "µ", "a.b.c", "p99.9", "@@", "1", "[", "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		var e *Error
		switch {
		case err == nil:
			if again, err := Parse(s.String()); err != nil || again.String() != s.String() {
				t.Errorf("%q was read, and then not: %v", text, err)
			}
			_, _ = s.Check(Known{}, nil)
		case !errors.As(err, &e):
			t.Errorf("%q: error %v has no place", text, err)
		case e.At < 0 || e.At > len(text):
			t.Errorf("%q: the error is at %d, beyond the text", text, e.At)
		}
	})
}

func TestQuantitiesKeepTheirValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100000).Draw(t, "n")
		unit := rapid.SampledFrom([]string{"ns", "us", "ms", "s", "m"}).Draw(t, "unit")
		s, err := Parse(fmt.Sprintf("answered.p99 <= %d%s", n, unit))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.right.value.value, float64(n)*units()[unit].size(); got != want {
			t.Errorf("%d%s is %g; want %g", n, unit, got, want)
		}
	})
}
