package scenarios

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const someLarge = `
name: t
flows: [async-reply-to, tells]
brokers: [nats, rabbitmq]
load: {subscribers: 1}
payloads: {modes: [inline, reference, stream], stores: [s3], bulk: {bytes: 8MiB, every: 50}}
`

func TestLargePayloadsAreLeftOutWhereTheyDoNotFit(t *testing.T) {
	s, err := Parse("t.yaml", []byte(someLarge))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
		if c.Bulk == nil || *c.Bulk != (Bulk{8 * mebibyte, 50, 30 * second}) || c.Load.PayloadBytes != 256 ||
			c.LargestPayload() != 8*mebibyte || c.Patience() != 30*second || c.Load.Drain != 30*second {
			t.Errorf("%s has %+v and the load %+v", c.ID, c.Bulk, c.Load)
		}
	}
	want := []string{"async-reply-to-nats-reference-s3", "async-reply-to-nats-stream", "async-reply-to-rabbitmq",
		"async-reply-to-rabbitmq-reference-s3", "async-reply-to-rabbitmq-stream"}
	if !slices.Equal(ids, want) {
		t.Errorf("cells are %q; want %q", ids, want)
	}
	for _, prefix := range []string{
		"async-reply-to-nats: payloads of 8MiB with what goes with them do not fit",
		"tells-rabbitmq: flow tells tells others than the client of commands, and would send a large payload to each",
	} {
		if !slices.ContainsFunc(p.LeftOut, func(s string) bool { return strings.HasPrefix(s, prefix) }) {
			t.Errorf("left out are %q; want one that begins with %q", p.LeftOut, prefix)
		}
	}
	p.Cells[0].Bulk.Every = 7
	if p.Cells[1].Bulk.Every != 50 || s.Payloads.Bulk.Every != 50 {
		t.Error("cells share what a plan says of large payloads")
	}
}

// TestLargeOperationsDependOnTheirNumbersAlone changes all else, and takes the
// large ones away.
func TestLargeOperationsDependOnTheirNumbersAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Cell{Seed: rapid.Uint64().Draw(t, "seed"), Load: Load{CommandShare: 0.5, Keys: 10}}
		c.Bulk = &Bulk{Bytes: mebibyte, Every: rapid.IntRange(2, 50).Draw(t, "every")}
		without := c
		without.Bulk = nil
		if c.Keys() != 11 || c.BulkKey() != 10 || without.Keys() != 10 {
			t.Fatalf("there are %d keys, %d without large ones, which have %d", c.Keys(), without.Keys(), c.BulkKey())
		}
		n, large := 500, 0
		for i := uint64(1); i <= uint64(n); i++ {
			kind, key := c.Operation(i)
			otherKind, otherKey := without.Operation(i)
			if kind != otherKind || key != otherKey || key == c.BulkKey() {
				t.Fatalf("operation %d is %v of key %d; without large ones %v of %d", i, kind, key, otherKind, otherKey)
			}
			if without.Large(i) {
				t.Fatalf("operation %d is large where none is", i)
			}
			if c.Large(i) {
				large++
			}
		}
		if large != n/c.Bulk.Every || c.Large(1) {
			t.Fatalf("%d of %d operations are large, one in %d", large, n, c.Bulk.Every)
		}
	})
}
