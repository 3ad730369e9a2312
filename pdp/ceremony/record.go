package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

// The kinds of records that this package keeps; none belongs to an agency.
const (
	kindConfirmation = "confirmation"
	kindLoginCode    = "login-code"
	kindSession      = "pdp-session"
	kindLink         = "reg-link"
	kindSpent        = "spent"

	nobody = "_"
	schema = 1
)

// secretSize is the size of every secret that is given out: 256 bits.
const secretSize = 32

type envelope[T any] struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	Value   T         `json:"value"`
}

// kept is a record as read, with what a compare-and-set needs.
type kept[T any] struct {
	key      string
	revision int64
	expires  time.Time
	value    T
}

func putOp[T any](key string, expires time.Time, value T) (store.Op, error) {
	raw, err := json.Marshal(envelope[T]{V: schema, Expires: expires.UTC(), Value: value})
	if err != nil {
		return store.Op{}, fmt.Errorf("ceremony: encoding: %w", err)
	}
	return store.Op{Key: key, Value: raw}, nil
}

// putNew writes a record that must not exist; store.ErrConflict says it does.
func putNew[T any](ctx context.Context, s store.Store, key string, expires time.Time, value T) error {
	op, err := putOp(key, expires, value)
	if err != nil {
		return err
	}
	_, err = s.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{op})
	return err
}

func get[T any](ctx context.Context, s store.Store, key string) (kept[T], error) {
	record, err := s.Get(ctx, key, store.Linearizable)
	if err != nil {
		return kept[T]{}, err
	}
	return open[T](key, record)
}

// take returns a record and deletes it, whatever becomes of it then.
func take[T any](ctx context.Context, s store.Store, key string) (kept[T], error) {
	record, err := s.Take(ctx, key)
	if err != nil {
		return kept[T]{}, err
	}
	return open[T](key, record)
}

func open[T any](key string, record store.Record) (kept[T], error) {
	var e envelope[T]
	if err := json.Unmarshal(record.Value, &e); err != nil {
		return kept[T]{}, fmt.Errorf("ceremony: reading a record: %w", err)
	}
	if e.V != schema {
		return kept[T]{}, fmt.Errorf("ceremony: a record has schema version %d, this program knows %d", e.V, schema)
	}
	return kept[T]{key: key, revision: record.Revision, expires: e.Expires, value: e.Value}, nil
}

// remove deletes exactly the revision that was read; store.ErrConflict says
// that somebody else was first.
func (k kept[T]) remove(ctx context.Context, s store.Store) error {
	_, err := s.Txn(ctx, []store.Compare{{Key: k.key, Revision: k.revision}}, []store.Op{{Key: k.key, Delete: true}})
	return err
}

// replace writes value over exactly the revision that was read.
func (k kept[T]) replace(ctx context.Context, s store.Store, value T) error {
	op, err := putOp(k.key, k.expires, value)
	if err != nil {
		return err
	}
	_, err = s.Txn(ctx, []store.Compare{{Key: k.key, Revision: k.revision}}, []store.Op{op})
	return err
}

// secret draws 256 bits and returns them as text with their digest: the text
// goes out, the digest is kept.
func newSecret(random io.Reader) (text string, digest [sha256.Size]byte, err error) {
	var b [secretSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", digest, fmt.Errorf("ceremony: drawing a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), sha256.Sum256(b[:]), nil
}

// readSecret returns the digest of a secret's text, or false where the text
// cannot be one.
func readSecret(text string) (digest [sha256.Size]byte, ok bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(secretSize) {
		return digest, false
	}
	raw, err := decodeBase64URL(text)
	if err != nil {
		return digest, false
	}
	return sha256.Sum256(raw), true
}

func secretKey(kind string, digest [sha256.Size]byte) string {
	return store.Key(kind, nobody, hex.EncodeToString(digest[:]))
}

// decodeBase64URL takes one spelling of each value: the library's decoder, even
// when strict, skips line ends.
func decodeBase64URL(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errLineEnd
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

var errLineEnd = errors.New("ceremony: a line end inside base64url")
