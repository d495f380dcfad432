package results

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"slices"
	"strconv"
	"time"
)

// HopsSchema names the layout of files of hops.
const HopsSchema = "flowbench.hops/1"

// A HopsHeader begins a file of hops.
type HopsHeader struct {
	Schema string `json:"schema"`
	Cell   string `json:"cell"`
	// Began is when the load of the cell began; zero for a simulation, which happens
	// at no time.
	Began time.Time `json:"began,omitzero"`
	Hops  []Hop     `json:"hops"` // which the legs of records name by their place, counting from 0
}

// A writtenHops is a [HopRecord] as it is written.
type writtenHops struct {
	Op     uint64     `json:"op"`
	Kind   string     `json:"kind"`
	Status string     `json:"status"`
	Class  string     `json:"class,omitempty"`
	Trace  string     `json:"trace"`
	Span   string     `json:"span"`
	Due    int64      `json:"due_ns"`
	Took   int64      `json:"took_ns"`
	Ends   string     `json:"ends"`
	Legs   [][3]int64 `json:"legs"` // hop, at_ns, for_ns
}

// hopsPath returns where the hops of a cell are in a run directory.
func hopsPath(cell string) string { return path.Join(cellsDir, cell+".hops.jsonl") }

// WriteHops writes the hops of a cell, whose load began at a time that is zero for
// a simulation. Without records there is no file.
func (w *Writer) WriteHops(cell string, began time.Time, records []HopRecord) (err error) {
	if len(records) == 0 {
		return nil
	}
	f, err := w.root.Create(hopsPath(cell))
	if err != nil {
		return fmt.Errorf("create file of hops: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return writeHops(f, HopsHeader{Cell: cell, Began: began}, records)
}

func writeHops(w io.Writer, h HopsHeader, records []HopRecord) error {
	h.Schema, h.Hops = HopsSchema, []Hop{}
	place := make(map[Hop]int64)
	for _, r := range records {
		for _, l := range r.Legs {
			if _, known := place[l.Hop]; !known {
				place[l.Hop] = int64(len(h.Hops))
				h.Hops = append(h.Hops, l.Hop)
			}
		}
	}
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	err := lines.Encode(h)
	for i := 0; i < len(records) && err == nil; i++ {
		r := records[i]
		legs := make([][3]int64, len(r.Legs))
		for j, l := range r.Legs {
			legs[j] = [3]int64{place[l.Hop], int64(l.At), int64(l.For)}
		}
		err = lines.Encode(writtenHops{
			r.Op, r.Kind.String(), r.Status.String(), r.Class, r.Trace, r.Span, int64(r.Due), int64(r.Took), r.Ends,
			legs,
		})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write hops: %w", err)
	}
	return nil
}

// A HopsFile is a file of hops that is being read.
type HopsFile struct {
	HopsHeader
	lines *bufio.Scanner
	close func() error
}

// OpenHops opens the hops of a cell in a run directory. The error is
// [fs.ErrNotExist] if none were kept.
func OpenHops(root *os.Root, cell string) (*HopsFile, error) {
	f, err := root.Open(hopsPath(cell))
	if err != nil {
		return nil, fmt.Errorf("open hops: %w", err)
	}
	h, err := ReadHops(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", hopsPath(cell), err), f.Close())
	}
	h.close = f.Close
	return h, nil
}

// ReadHops reads the head of a file of hops; [HopsFile.Records] reads on.
func ReadHops(r io.Reader) (*HopsFile, error) {
	h := &HopsFile{lines: bufio.NewScanner(r), close: func() error { return nil }}
	h.lines.Buffer(make([]byte, 64<<10), maxLine)
	if !h.lines.Scan() {
		if err := h.lines.Err(); err != nil {
			return nil, fmt.Errorf("read hops: %w", err)
		}
		return nil, errors.New("read hops: the file is empty")
	}
	if err := json.Unmarshal(h.lines.Bytes(), &h.HopsHeader); err != nil {
		return nil, fmt.Errorf("read line 1: %w", err)
	}
	if h.Schema != HopsSchema {
		return nil, fmt.Errorf("read line 1: schema is %q; this flowbench reads %q", h.Schema, HopsSchema)
	}
	return h, nil
}

// Close closes the file.
func (h *HopsFile) Close() error { return h.close() }

// Records yields what is in the file, one record at a time. An error, which says in
// which line, is the last thing that it yields. It can be called once.
func (h *HopsFile) Records() iter.Seq2[HopRecord, error] {
	return func(yield func(HopRecord, error) bool) {
		for n := 2; h.lines.Scan(); n++ {
			r, err := h.record(h.lines.Bytes())
			if err != nil {
				yield(r, fmt.Errorf("read line %d: %w", n, err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := h.lines.Err(); err != nil {
			yield(HopRecord{}, fmt.Errorf("read hops: %w", err))
		}
	}
}

// record reads one line.
func (h *HopsFile) record(line []byte) (HopRecord, error) {
	var w writtenHops
	if err := json.Unmarshal(line, &w); err != nil {
		return HopRecord{}, err
	}
	r := HopRecord{
		Op: w.Op, Class: w.Class, Trace: w.Trace, Span: w.Span, Due: time.Duration(w.Due),
		Took: time.Duration(w.Took), Ends: w.Ends,
	}
	var ok bool
	if r.Kind, ok = named(Kinds(), w.Kind); !ok {
		return r, fmt.Errorf("kind is %q; want command or query", w.Kind)
	}
	if r.Status, ok = named([]Status{OK, Failed, Unknown}, w.Status); !ok {
		return r, fmt.Errorf("status is %q; want ok, failed or unknown", w.Status)
	}
	if !isHex(w.Trace, 16) || !isHex(w.Span, 8) {
		return r, fmt.Errorf("trace %q and span %q; want 32 and 16 hexadecimal digits that are not all zero",
			w.Trace, w.Span)
	}
	for _, l := range w.Legs {
		if l[0] < 0 || l[0] >= int64(len(h.Hops)) {
			return r, fmt.Errorf("a leg names hop %d of %d", l[0], len(h.Hops))
		}
		if l[2] < 0 {
			return r, fmt.Errorf("a leg takes %d ns; want at least 0", l[2])
		}
		r.Legs = append(r.Legs, HopLeg{h.Hops[l[0]], time.Duration(l[1]), time.Duration(l[2])})
	}
	return r, nil
}

// named returns the value that is written as text.
func named[T interface{ String() string }](all []T, text string) (v T, ok bool) {
	i := slices.IndexFunc(all, func(v T) bool { return v.String() == text })
	if i < 0 {
		return v, false
	}
	return all[i], true
}

// isHex reports whether s is so many bytes in lower-case hexadecimal digits, and
// not all of them zero.
func isHex(s string, bytes int) bool {
	if len(s) != 2*bytes {
		return false
	}
	zero := true
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		zero = zero && c == '0'
	}
	return !zero
}

// Spans. The identities of spans follow from that of the operation, so that what is
// written of a run names the parents that its messages named.

// LegSpan returns the span of leg number i of an operation, 16 hexadecimal digits.
func (r *HopRecord) LegSpan(i int) string {
	root, err := strconv.ParseUint(r.Span, 16, 64)
	if err != nil {
		root = 0
	}
	// The finalizer of SplitMix64 is a bijection, so legs of one operation never share
	// a span.
	z := root + uint64(i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return fmt.Sprintf("%016x", max(1, z^z>>31))
}
