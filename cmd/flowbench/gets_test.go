package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// gets waits until a program has written the address that it serves at to a file, in a
// line that begins with a word, and then until a path below that address is answered
// with what an expression matches: gets FILE WORD PATH EXPRESSION.
func gets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: gets file word path expression")
	}
	said := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(args[1]) + ` .*?(http://[^\s]+)`)
	want := regexp.MustCompile(args[3])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last := "no address"
	for ctx.Err() == nil {
		text, _ := os.ReadFile(ts.MkAbs(args[0])) // it may not be there yet
		if m := said.FindSubmatch(text); m != nil {
			last = answerUntil(ctx, strings.TrimSuffix(string(m[1]), "/")+args[2], want)
			if want.MatchString(last) {
				return
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	ts.Fatalf("%s was not answered with %q; at last it was\n%.2000s", args[2], args[3], last)
}

// answerUntil returns what comes of an address, until that matches or some seconds are
// over: streams have no end.
func answerUntil(ctx context.Context, url string, want *regexp.Regexp) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	var all []byte
	for buf := make([]byte, 64<<10); err == nil && !want.Match(all) && len(all) < 4<<20; {
		var n int
		n, err = answer.Body.Read(buf)
		all = append(all, buf[:n]...)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		all = append(all, err.Error()...)
	}
	return string(all)
}
