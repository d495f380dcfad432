package scenarios

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var library embed.FS

// An Entry is one scenario of the library.
type Entry struct {
	Name     string
	Question string
	Text     []byte // the file, comments and all
}

// Library returns the scenarios that the program carries with it, ordered by
// name.
func Library() []Entry {
	files, err := fs.Glob(library, "*.yaml")
	if err != nil {
		panic("the pattern is fixed and valid: " + err.Error())
	}
	entries := make([]Entry, len(files))
	for i, file := range files {
		text, err := library.ReadFile(file)
		if err != nil {
			panic("the file is embedded: " + err.Error())
		}
		first, _, _ := strings.Cut(string(text), "\n")
		entries[i] = Entry{
			Name:     strings.TrimSuffix(file, ".yaml"),
			Question: strings.TrimPrefix(first, "# "),
			Text:     text,
		}
	}
	return entries
}

// Find returns the library's scenario of a name. If there is none, the error
// lists what there is.
func Find(name string) (Entry, error) {
	entries := Library()
	names := make([]string, len(entries))
	for i, e := range entries {
		if names[i] = e.Name; e.Name == name {
			return e, nil
		}
	}
	return Entry{}, &Error{File: "library", Msg: "there is no scenario " + quote(name) + "; want " + oneOf(name, names)}
}
