package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7"

	"flowbench/flows"
	"flowbench/sim/store"
)

// judged returns the error of a request with its class. It is nil if err is.
func (o *objects) judged(ctx context.Context, t *try, err error) error {
	if err == nil {
		return nil
	}
	if t.err != nil {
		err = t.err
	}
	var no *refusal
	var late minio.ErrorResponse // an error that came as a success
	switch {
	case errors.As(err, &late):
		return newRefusal(http.StatusOK, late.Code).judged()
	case errors.As(err, &no):
		return no.judged()
	case ctx.Err() == nil && o.ctx.Err() != nil:
		return flows.ErrClosed
	}
	return store.Classify(ctx, err)
}

// judged returns a refusal with its class.
func (r *refusal) judged() error {
	switch r.code {
	case "NoSuchKey":
		return flows.Fail(flows.Rejected, fmt.Errorf("%w: %w", flows.ErrNoObject, r))
	case "EntityTooLarge":
		return flows.Fail(flows.TooLarge, r)
	case "SlowDown", "QuotaExceeded", "XMinioStorageFull":
		return flows.Fail(flows.Overloaded, r)
	}
	switch r.status {
	case http.StatusRequestEntityTooLarge:
		return flows.Fail(flows.TooLarge, r)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return flows.Fail(flows.Overloaded, r)
	}
	return flows.Fail(flows.Rejected, r)
}

// explained says of an answer to the first request what is to be done about it.
func explained(err error, bucket string) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	if r.code == "" || r.status == http.StatusOK {
		return fmt.Errorf("this may be no S3 server: %w", err)
	}
	switch r.code {
	case "NoSuchBucket":
		return fmt.Errorf("the bucket %s is not there, and is not made at a server of somebody else's: %w", bucket, err)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "CredentialsNotSupported":
		return fmt.Errorf("the credentials are not taken: %w", err)
	case "AccessDenied":
		return fmt.Errorf("the credentials do not permit to put, get and delete in the bucket %s: %w", bucket, err)
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion":
		return fmt.Errorf("the bucket %s may be in another region; name it as in s3://host/%s?region=name: %w",
			bucket, bucket, err)
	}
	return err
}
