package transcript

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a transcript. It accepts what [Transcript.String] writes, with any
// spacing, and nothing that is no transcript: names that take no part, time that
// goes back, an unknown mark. Its errors begin with the number of the line.
func Parse(text string) (Transcript, error) {
	var t Transcript
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := t.add(line); err != nil {
			return Transcript{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if t.Flow == "" || t.Participants == nil {
		return Transcript{}, errors.New("no line names the flow, or none names who takes part; want both")
	}
	return t, nil
}

// add takes in one line.
func (t *Transcript) add(line string) error {
	if name, ok := strings.CutPrefix(line, "flow:"); ok {
		return t.addFlow(strings.Fields(name))
	}
	if names, ok := strings.CutPrefix(line, "participants:"); ok {
		return t.addParticipants(strings.Fields(names))
	}
	if title, ok := strings.CutPrefix(line, "=="); ok {
		return t.addEpisode(title)
	}
	return t.addStep(line)
}

func (t *Transcript) addFlow(names []string) error {
	if len(names) != 1 || t.Flow != "" {
		return errors.New("the flow has one name, said once")
	}
	t.Flow = names[0]
	return nil
}

func (t *Transcript) addParticipants(names []string) error {
	if t.Participants != nil || len(names) == 0 {
		return errors.New("the participants are named once, before the first episode")
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("participant %q is named twice", name)
		}
	}
	t.Participants = names
	return nil
}

func (t *Transcript) addEpisode(title string) error {
	kind, story, _ := strings.Cut(title, ":")
	e := Episode{Kind: strings.TrimSpace(kind), Story: strings.TrimSpace(story)}
	if e.Kind == "" || e.Story == "" || t.Participants == nil {
		return fmt.Errorf("title %q; want == kind: story, after the participants", title)
	}
	if _, taken := t.Episode(e.Kind, e.Story); taken {
		return fmt.Errorf("a second episode %s: %s", e.Kind, e.Story)
	}
	t.Episodes = append(t.Episodes, e)
	return nil
}

func (t *Transcript) addStep(line string) error {
	if len(t.Episodes) == 0 {
		return fmt.Errorf("%q stands before the first episode", line)
	}
	var s Step
	at, rest := word(line)
	from, rest := word(rest)
	mark, rest := word(rest)
	var err error
	if s.At, err = parseMilliseconds(at); err != nil {
		return err
	}
	if s.From, err = t.participant(from); err != nil {
		return err
	}
	if s.Form, err = parseForm(mark); err != nil {
		return err
	}
	if !s.Form.alone() {
		var to string
		to, rest = word(rest)
		if s.To, err = t.participant(to); err != nil {
			return err
		}
	}
	if s.Text = rest; s.Text == "" {
		return errors.New("the step says nothing")
	}
	e := &t.Episodes[len(t.Episodes)-1]
	if n := len(e.Steps); n > 0 && s.At < e.Steps[n-1].At {
		return fmt.Errorf("time goes back from %s to %s", milliseconds(e.Steps[n-1].At), at)
	}
	e.Steps = append(e.Steps, s)
	return nil
}

// word cuts the first word off a line, and the space behind it.
func word(line string) (first, rest string) {
	i := strings.IndexFunc(line, func(r rune) bool { return strings.TrimSpace(string(r)) == "" })
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimSpace(line[i:])
}

func (t *Transcript) participant(name string) (string, error) {
	if !slices.Contains(t.Participants, name) {
		return "", fmt.Errorf("%q is no participant; want one of %v", name, t.Participants)
	}
	return name, nil
}

func parseForm(mark string) (Form, error) {
	for f := range numForms {
		if f.mark() == mark {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%q is no mark; want ->, -->, -x, --x, : or =", mark)
}

// parseMilliseconds reads a number of milliseconds with up to six decimals, which
// is exact where a float would not be.
func parseMilliseconds(s string) (time.Duration, error) {
	whole, decimals, _ := strings.Cut(s, ".")
	digits := whole + (decimals + "000000")[:6]
	ns, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || whole == "" || len(decimals) > 6 || ns > math.MaxInt64 {
		return 0, fmt.Errorf("%q is no time; want milliseconds, such as 0.3", s)
	}
	return time.Duration(ns), nil
}

// milliseconds writes d with as many decimals as it has, and at least one.
func milliseconds(d time.Duration) string {
	digits := fmt.Sprintf("%07d", int64(d))
	whole, decimals := digits[:len(digits)-6], strings.TrimRight(digits[len(digits)-6:], "0")
	return whole + "." + (decimals + "0")[:max(1, len(decimals))]
}
