package natsstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
)

// An upload is one object on its way, in the format of the library.
type upload struct {
	line   *line
	bucket string
	object string
	id     string // which its messages are called by
	inbox  string
	acks   *nats.Subscription // of the inbox
	sent   int
	acked  int
}

// piecesUnacked is how many messages are sent before the first of them must have
// been stored.
const piecesUnacked = 16

// put puts an object. If that fails, the messages that were stored go.
func put(ctx context.Context, l *line, bucket, object string, content io.Reader) (err error) {
	u := &upload{line: l, bucket: bucket, object: object, id: rand.Text(), inbox: l.nc.NewInbox()}
	if u.acks, err = l.nc.SubscribeSync(u.inbox); err != nil {
		return err
	}
	defer func() { _ = u.acks.Unsubscribe() }() // on a connection that is gone there is nothing to end
	info, err := u.pieces(ctx, content)
	if err == nil {
		err = u.announce(ctx, info)
	}
	if err != nil && u.sent > 0 {
		err = errors.Join(err, u.undo(ctx))
	}
	return err
}

func (u *upload) subject() string { return "$O." + u.bucket + ".C." + u.id }

// pieces sends the object's bytes and waits until all are stored.
func (u *upload) pieces(ctx context.Context, content io.Reader) (jetstream.ObjectInfo, error) {
	size := min(pieceBytes, max(u.line.nc.MaxPayload()-frameBytes, frameBytes))
	info := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{
			Name: u.object, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(size)},
		},
		Bucket: u.bucket, NUID: u.id,
	}
	hash, piece := sha256.New(), make([]byte, size)
	for last := false; !last; {
		n, err := io.ReadFull(content, piece)
		// That of ReadFull itself, and not one that the body has met.
		last = err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return info, err
		}
		if n == 0 {
			break
		}
		m := &nats.Msg{Subject: u.subject(), Reply: u.inbox, Data: piece[:n]}
		if err := u.send(ctx, m, piecesUnacked); err != nil {
			return info, err
		}
		_, _ = hash.Write(piece[:n]) // it never fails
		info.Size += uint64(n)
		info.Chunks++
	}
	info.Digest = jetstream.GetObjectDigestValue(hash)
	return info, u.settle(ctx, 0)
}

// announce makes the object be there.
func (u *upload) announce(ctx context.Context, info jetstream.ObjectInfo) error {
	text, err := json.Marshal(info)
	if err != nil {
		return flows.Fail(flows.Internal, fmt.Errorf("describe the object: %w", err))
	}
	m := nats.NewMsg("$O." + u.bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(u.object)))
	m.Reply, m.Data = u.inbox, text
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	return u.send(ctx, m, 0)
}

// send sends a message and waits until no more than some are not stored yet. The
// library copies the message.
func (u *upload) send(ctx context.Context, m *nats.Msg, unacked int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.line.nc.PublishMsg(m); err != nil {
		return err
	}
	u.sent++
	return u.settle(ctx, unacked)
}

// settle waits until no more than some messages are not stored yet.
func (u *upload) settle(ctx context.Context, unacked int) error {
	for u.sent-u.acked > unacked {
		m, err := u.acks.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		u.acked++
		if m.Header.Get("Status") != "" {
			return nats.ErrNoResponders
		}
		var ack struct {
			Error *jetstream.APIError `json:"error"`
		}
		switch err := json.Unmarshal(m.Data, &ack); {
		case err != nil:
			return flows.Fail(flows.Corrupt, errors.New("the server's acknowledgement is none"))
		case ack.Error != nil:
			return ack.Error
		}
	}
	return nil
}

// undo removes what has been stored, and what is about to be.
func (u *upload) undo(ctx context.Context) error {
	for u.sent > u.acked && u.line.life.Err() == nil && ctx.Err() == nil {
		_ = u.settle(ctx, 0) // refusals are as good
	}
	s, err := u.line.js.Stream(ctx, streamOf(u.bucket))
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(u.subject()))
	}
	if err != nil {
		return fmt.Errorf("remove the messages of %s: %w", u.object, err)
	}
	return nil
}

// streamOf returns what the stream of a bucket is called.
func streamOf(bucket string) string { return "OBJ_" + bucket }
