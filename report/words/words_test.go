package words

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"flowbench/results"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"async-reply-to":                 "async-reply-to",
		"\x1b[31mred\x1b[0m":             "red",
		"\x1b]0;title\x07text":           "text",
		"\x1b]8;;http://a\x1b\\link":     "link",
		"\x1b[2Jgone":                    "gone",
		"\u009b31mred":                   "red",
		"\x1b(Bset":                      "set",
		"\x1b":                           "",
		"\x1b[":                          "",
		"a\x1b[31\nb":                    "a b",
		"two\nlines\tand\rmore":          "two lines and more",
		"right\u202eto left\u200b\ufeff": "rightto left",
		"bad\xffbyte":                    "bad\ufffdbyte",
		"größe 日本":                       "größe 日本",
		" padded ":                       "padded",
		"<b>&amp;":                       "<b>&amp;",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[31mred", "\x1b]0;t\a", "\u009d", "\xc2", "\x1b\x1b[", "\u2028\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("Clean(%q) = %q has %U", s, got, r)
			}
		}
		if again := Clean(got); again != got {
			t.Errorf("Clean(%q) = %q, and cleaned again %q", s, got, again)
		}
		if strings.ContainsRune(s, '\x1b') == false && len(got) > 3*len(s) {
			t.Errorf("Clean(%q) = %q is longer than it can be", s, got)
		}
	})
}

func TestDuration(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0 µs", 512: "0.512 µs", 1500: "1.50 µs", 812 * time.Microsecond: "812 µs",
		999_400: "999 µs", 999_600: "1.00 ms", 1_234_567: "1.23 ms", 12_345_678: "12.3 ms", 123_456_789: "123 ms",
		999_900_000: "1.00 s", 9_999_000_000: "10.0 s", 600 * time.Second: "600 s", 1000 * time.Second: "1,000 s",
	} {
		if got := Duration(in); got != want {
			t.Errorf("Duration(%d) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(-1234567): "-1,234,567", Digits(0.5): "0.5", Digits(1.996): "2.00",
		Digits(99.96): "100", Digits(1234.5): "1,235", Bytes(999): "999 B", Bytes(1480): "1.48 kB",
		Share(0.0004): "< 0.1 " +
			"%", Share(-1): Absent, Percentile(0.999): "p99.9", Percentile(0.5): "p50", Percentile(1): "max",
		List([]string{"a", "b", "c"}): "a, b and c", Elide("abcdefgh", 5): "ab…gh", Elide("abc", 3): "abc",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLabelsTellCellsApart(t *testing.T) {
	cells := []*results.Cell{
		{ID: "1", Flow: "direct"},
		{ID: "2", Flow: "proxy", Broker: "nats", Load: results.Load{RatePerS: 100}},
		{ID: "3", Flow: "proxy", Broker: "nats", Load: results.Load{RatePerS: 2000}},
		{ID: "4", Flow: "poll", Broker: "nats", Payload: "inline"},
		{ID: "5", Flow: "poll", Broker: "nats", Payload: "inline"},
		{ID: "6", Flow: "sync", Broker: "nats", Edge: "rest"},
		{ID: "7", Flow: "sync", Broker: "nats", Edge: "ws"},
		{ID: "hold", Flow: "hold", Edge: "rest"},
		{ID: "hold-graphql", Flow: "hold", Edge: "graphql"},
		{ID: "poll-rabbitmq-quorum-ws", Flow: "poll", Broker: "rabbitmq", Edge: "ws"},
		{ID: "poll-rabbitmq-quorum", Flow: "poll", Broker: "rabbitmq", Edge: "rest"},
		{ID: "poll-rabbitmq-classic-ws", Flow: "poll", Broker: "rabbitmq", Edge: "ws"},
		{ID: "poll-rabbitmq-classic", Flow: "poll", Broker: "rabbitmq", Edge: "rest"},
	}
	want := []string{"direct", "proxy on nats, 100/s", "proxy on nats, 2,000/s", "poll on nats, 4", "poll on nats, 5",
		"sync on nats, rest", "sync on nats, ws", "hold, rest", "hold, graphql",
		"poll on rabbitmq, ws, quorum", "poll on rabbitmq, rest, quorum",
		"poll on rabbitmq, ws, classic", "poll on rabbitmq, rest, classic"}
	for i, got := range Labels(&results.Run{Cells: cells}) {
		if got != want[i] {
			t.Errorf("label of cell %d is %q, want %q", i+1, got, want[i])
		}
	}
}

func TestWhatCameOfAFault(t *testing.T) {
	seen := func(d time.Duration) *results.Recovery {
		return &results.Recovery{Recover: results.Moment{After: d, Seen: true}}
	}
	for _, c := range []struct {
		fault results.Fault
		want  string
	}{
		{results.Fault{Absent: true}, "absent"}, {results.Fault{Recovery: seen(0)}, "no effect"},
		{results.Fault{Effect: "some"}, "too little to tell"},
		{results.Fault{Effect: "some", Recovery: seen(results.TailWidth - 1)}, "well at once"},
		{results.Fault{Effect: "some", Recovery: seen(1251 * time.Millisecond)}, "well after 1.25 s"},
		{results.Fault{Effect: "some", Recovery: &results.Recovery{Within: 4 * time.Second}}, "not well within 4 s"},
	} {
		if got := FaultOutcome(c.fault); got != c.want {
			t.Errorf("of %+v came %q, want %q", c.fault, got, c.want)
		}
	}
	for _, c := range []struct {
		about    string
		recovery *results.Recovery
		want     bool
	}{
		{"too little to tell", nil, false}, {"nothing was slow", seen(0), false},
		{"slow during it", &results.Recovery{Detect: seen(time.Second).Recover, Recover: seen(0).Recover}, true},
		{"slow after it", &results.Recovery{Detect: seen(9 * time.Second).Recover, Recover: seen(0).Recover}, false},
		{"slow until then", &results.Recovery{
			Detect: seen(9 * time.Second).Recover, Recover: seen(7 * time.Second).Recover,
		}, true},
		{"failed after a timeout", &results.Recovery{
			Detect: seen(9 * time.Second).Recover, Recover: seen(0).Recover, Bad: 1,
		}, true},
		{"slow and never well", &results.Recovery{Detect: seen(9 * time.Second).Recover}, true},
	} {
		f := results.Fault{Begin: time.Second, Heal: 3 * time.Second, Recovery: c.recovery}
		if got := Noticed(f); got != c.want {
			t.Errorf("%s: noticed is %v", c.about, got)
		}
	}
	if got := Fault(results.Fault{What: "out\x1b[1mage", On: "bro\nker"}); got != "outage on bro ker" {
		t.Errorf("the fault is called %q", got)
	}
}

func TestSizesAreNamedAsPeopleChoseThem(t *testing.T) {
	for n, want := range map[int]string{
		0: "0 B", 256: "256 B", 1000: "1000 B", 1 << 10: "1 KiB",
		3 << 9: "1536 B", 256 << 10: "256 KiB", 64 << 20: "64 MiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %q; want %q", n, got, want)
		}
	}
}

func TestTheStemOfACellSaysNothingOfItsPayload(t *testing.T) {
	for _, c := range []struct {
		id, mode, store string
		bytes           int
		want            string
	}{
		{"proxy-sync-nats", "inline", "", 256, "proxy-sync-nats"},
		{"proxy-sync-nats-64mib", "inline", "", 64 << 20, "proxy-sync-nats"},
		{"proxy-sync-nats-256", "inline", "", 256, "proxy-sync-nats"},
		{"proxy-sync-nats-reference-nats-kv-4kib", "reference", "nats_kv", 4 << 10, "proxy-sync-nats"},
		{"proxy-sync-jetstream-file-graphql-reference-s3", "reference", "s3", 256, "proxy-sync-jetstream-file-graphql"},
		{"direct-stream-1mib", "stream", "", 1 << 20, "direct"},
	} {
		cell := &results.Cell{ID: c.id, Payload: c.mode, Store: c.store, Load: results.Load{PayloadBytes: c.bytes}}
		if got := Stem(cell); got != c.want {
			t.Errorf("the stem of %s is %s; want %s", c.id, got, c.want)
		}
	}
	if got := InlineID("proxy-sync-nats", 4<<20); got != "proxy-sync-nats-4mib" {
		t.Errorf("4 MiB inline are %s", got)
	}
}

func TestCellsAreNamedByWhatTellsThemApart(t *testing.T) {
	cell := func(mode, store string, bytes int) *results.Cell {
		return &results.Cell{
			ID: "x", Flow: "proxy-sync", Broker: "nats", Payload: mode, Store: store,
			Load: results.Load{PayloadBytes: bytes},
		}
	}
	for _, c := range []struct {
		cells []*results.Cell
		want  []string
	}{
		{[]*results.Cell{cell("inline", "", 256)}, []string{"proxy-sync on nats"}},
		{[]*results.Cell{cell("inline", "", 256), cell("inline", "", 4<<10)},
			[]string{"proxy-sync on nats, 256 B", "proxy-sync on nats, 4 KiB"}},
		{[]*results.Cell{cell("inline", "", 256), cell("reference", "s3", 256), cell("reference", "file", 256)},
			[]string{"proxy-sync on nats, inline", "proxy-sync on nats, reference, s3",
				"proxy-sync on nats, reference, file"}},
	} {
		if got := Labels(&results.Run{Cells: c.cells}); !slices.Equal(got, c.want) {
			t.Errorf("cells are named %q; want %q", got, c.want)
		}
	}
}
