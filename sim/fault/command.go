package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A Command is a program of the user that does the harm, and another that undoes
// it: for brokers that were not started here, of which nothing is known but their
// address. Programs are started as they are; no shell reads their words.
type Command struct {
	Begin, Heal []string      // the program and its arguments
	Limit       time.Duration // how long each of them may take
}

// String returns the harm in words.
func (c Command) String() string { return "command " + strings.Join(c.Begin, " ") }

// The bounds of what is given in words.
const (
	MaxWords     = 32
	MaxWordBytes = 256
)

// command describes the fault exec.
func command() Fault {
	return Fault{
		Name: "exec",
		Summary: "A command of yours runs, and another at the end: for brokers that were not started for the run. " +
			"It needs `--allow-exec`. No shell reads the words; a command fails if it takes longer than its limit.",
		Params: []Param{
			{Name: "begin", Summary: "the command that does it", Unit: Words, Min: 1, Max: MaxWords},
			{
				Name: "heal", Summary: "the command that undoes it; it runs again if it fails", Unit: Words,
				Min: 1, Max: MaxWords,
			},
			{
				Name: "limit", Summary: "how long each may take", Unit: Duration, Default: "30s",
				Min: int64(time.Millisecond), Max: longest,
			},
		},
		On: []Place{Broker},
		order: func(v values, words map[string][]string) []Harm {
			return []Harm{Command{Begin: words["begin"], Heal: words["heal"], Limit: v.duration("limit")}}
		},
	}
}

// WordsText returns words as the text of a parameter: a list in JSON, in which
// every word keeps its bounds.
func WordsText(words []string) string {
	text, err := json.Marshal(words)
	if err != nil {
		return "" // strings always encode
	}
	return string(text)
}

// parseWords reads what [WordsText] writes.
func parseWords(text string) ([]string, error) {
	if text == "" {
		return nil, errors.New("it must be given")
	}
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		return nil, fmt.Errorf("%q is no list of words in JSON", text)
	}
	if len(words) == 0 || len(words) > MaxWords || words[0] == "" {
		return nil, fmt.Errorf("there are %d words; want 1 to %d, of which the first names a program",
			len(words), MaxWords)
	}
	for i, w := range words {
		if len(w) > MaxWordBytes || !utf8.ValidString(w) || strings.ContainsRune(w, 0) {
			return nil, fmt.Errorf("word %d has %d bytes; want at most %d, and no zero byte",
				i+1, len(w), MaxWordBytes)
		}
	}
	return words, nil
}

// Runs reports whether the fault runs commands of the user.
func (f Fault) Runs() bool { return f.order != nil }
