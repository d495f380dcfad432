package httpstore

import (
	"fmt"
	"testing"
)

// FuzzPartOf looks for a Content-Range that is taken for a part which it is not.
func FuzzPartOf(f *testing.F) {
	for _, seed := range []string{
		"bytes 0-0/1", "bytes 2-4/*", "bytes 4-2/8", "bytes */8", "bytes 0-9223372036854775807/*", "bytes -1-2/3", "",
		"0-1/2", "bytes 1-2", "bytes +1-2/3", "bytes 01-2/3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		from, bytes, ok := partOf(header)
		if !ok {
			return
		}
		var first, last int64
		if _, err := fmt.Sscanf(header, "bytes %d-%d/", &first, &last); err != nil || first != from || from < 0 ||
			bytes <= 0 || from+bytes-1 != last {
			t.Fatalf("%q is taken for %d bytes from %d on", header, bytes, from)
		}
	})
}
