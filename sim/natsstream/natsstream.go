// Package natsstream makes streams on NATS servers that others use at the same
// time.
//
// A server that deletes a stream tries afterwards, in the background, to remove
// the directory of all streams, in case that was the last. If it does so between
// two steps of making another stream, that one finds its own directory gone, and
// its maker is told "error creating store for stream", with nothing to tell it
// from a full disk. Measured against server v2.15.2 where nothing else is in the
// account, with four makers that delete what they have made: once in 8,000. A run
// whose neighbour is just cleaning up must not end by that, and what has failed is
// undone, so the stream is made again.
package natsstream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// attempts bounds how often a stream is made, as a disk that is full stays so.
const attempts = 4

// pause is what the server gets between two attempts, for the removal to be over.
const pause = 20 * time.Millisecond

// storeFailed is the server's number for a stream that could not be made for a
// reason without a number of its own.
const storeFailed jetstream.ErrorCode = 10049

// Make calls create, and again if the server says that it could not make the
// stream's store. It returns what the last call returned, at the latest when ctx
// has ended.
func Make(ctx context.Context, create func(context.Context) error) error {
	for n := 1; ; n++ {
		err := create(ctx)
		api, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || api.ErrorCode != storeFailed || n == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
