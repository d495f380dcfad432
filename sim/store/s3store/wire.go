package s3store

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"flowbench/flows"
	"flowbench/sim/wire"
)

const (
	// asksFirst is the size of a body from which on the server is asked whether it
	// wants it. A server that says no to a large body that is on its way has to cut
	// the connection, and its answer gets lost.
	asksFirst = 1 << 20

	// answers is how long it has for that before the body is sent anyway.
	answers = time.Second

	idleConns = 1024 // of a party; more than it ever has requests under way
	buffers   = 64 << 10
	maxAnswer = 64 << 10 // of an answer that is an error
)

// client returns a party's S3 client, and what its connections are in.
func (p place) client(dial wire.Dialer) (minio.Core, *http.Transport, error) {
	t := &http.Transport{
		DialContext:           dial,
		MaxIdleConns:          0, // there is one host
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: answers,
		DisableCompression:    true,
		WriteBufferSize:       buffers,
		ReadBufferSize:        buffers,
	}
	core, err := minio.NewCore(p.host, &minio.Options{
		Creds:        credentials.NewStaticV4(p.credentials.Name, p.credentials.Secret, ""),
		Secure:       p.secure,
		Transport:    &judge{t},
		Region:       p.region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1, // which means none: a flow must see what happened
	})
	if err != nil {
		return minio.Core{}, nil, flows.Fail(flows.Unreachable, errors.New("make an S3 client: the address is none"))
	}
	return *core, t, nil
}

// A refusal is an answer of the server that is an error. Of what the server says
// it keeps the code alone: its words may repeat names and keys.
type refusal struct {
	status int
	code   string // empty if the answer had none
}

func (r *refusal) Error() string {
	if r.code == "" {
		return fmt.Sprintf("the S3 server answered %d", r.status)
	}
	return fmt.Sprintf("the S3 server answered %s (%d)", r.code, r.status)
}

// A try is one request under way. It carries what came of it past minio-go, which
// would turn some errors into text, and sleep over others.
type try struct {
	cancel context.CancelFunc
	err    error
}

type tryKey struct{}

// A judge is the transport of a client. Whatever is no success ends the try.
type judge struct{ next http.RoundTripper }

func (j *judge) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength >= asksFirst {
		asking := *r // a transport may not change what it is given
		asking.Header = r.Header.Clone()
		asking.Header.Set("Expect", "100-continue")
		r = &asking
	}
	res, err := j.next.RoundTrip(r)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = refusalIn(res)
	}
	if err == nil {
		return res, nil
	}
	if t, ok := r.Context().Value(tryKey{}).(*try); ok {
		t.err = err
		t.cancel()
	}
	return nil, err
}

// refusalIn reads an answer that is an error, to its end, so that the connection
// can be used again.
func refusalIn(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // what is there will do
	_ = res.Body.Close()
	var said struct{ Code string }
	_ = xml.Unmarshal(text, &said) // what is no XML has no code
	return newRefusal(res.StatusCode, said.Code)
}

// newRefusal drops a code that is none.
func newRefusal(status int, code string) *refusal {
	other := strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.")
	if len(code) > 64 || other != "" {
		code = ""
	}
	return &refusal{status, code}
}
