package signals

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	receiverKind   = "signal-receiver"
	receiverPrefix = "rcv"
	schema         = 1
	mostName       = 64
)

// InputError says why something that an administrator asks for is not done.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "signals: refused: " + e.why.Code }

// Reason returns what the administrator is told.
func (e *InputError) Reason() wire.Reason { return e.why }

func refuse(code string, args ...string) error { return &InputError{reason.New(code, args...)} }

// receiver is one in memory. It does not change.
type receiver struct {
	wire.SignalReceiver
	secret [sha256.Size]byte
}

type receiverRecord struct {
	V int `json:"v"`
	wire.SignalReceiver
	// Digest is SHA-256 of the bearer secret.
	Digest []byte `json:"digest"`
}

// AddReceiver makes a receiver for an agency and returns its bearer secret, this
// once. The agency signs events from now on.
func (t *Transmitter) AddReceiver(ctx context.Context, r wire.SignalReceiver, by string) (wire.SignalReceiver, string, error) {
	if n := utf8.RuneCountInString(r.Name); n == 0 || n > mostName || strings.TrimSpace(r.Name) != r.Name {
		return wire.SignalReceiver{}, "", refuse(reason.CfgReceiverName)
	}
	if len(r.Push) > mostAddresses {
		return wire.SignalReceiver{}, "", refuse(reason.CfgReceiverPush, "url", r.Push[mostAddresses])
	}
	for _, address := range r.Push {
		if _, err := parseEndpoint(address); err != nil {
			return wire.SignalReceiver{}, "", refuse(reason.CfgReceiverPush, "url", address)
		}
	}
	t.adding.Lock()
	defer t.adding.Unlock()
	all := t.Receivers(r.Agency)
	if len(all) >= mostReceivers {
		return wire.SignalReceiver{}, "", refuse(reason.CfgReceiverTooMany)
	}
	if slices.ContainsFunc(all, func(o wire.SignalReceiver) bool { return o.Name == r.Name }) {
		return wire.SignalReceiver{}, "", refuse(reason.CfgReceiverName)
	}
	if err := t.Signer.EnsureSET(r.Agency); err != nil {
		return wire.SignalReceiver{}, "", fmt.Errorf("signals: no keys for %s: %w", r.Agency, err)
	}
	return t.keepReceiver(ctx, r, by)
}

func (t *Transmitter) keepReceiver(ctx context.Context, r wire.SignalReceiver, by string) (wire.SignalReceiver, string, error) {
	var raw [32]byte
	id, err := wire.NewID(receiverPrefix, t.Random)
	if err == nil {
		_, err = io.ReadFull(t.Random, raw[:])
	}
	if err != nil {
		return wire.SignalReceiver{}, "", fmt.Errorf("signals: %w", err)
	}
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	r.ID, r.AddedAt, r.AddedBy, r.Streams = id, t.Clock().UTC(), by, nil
	one := &receiver{SignalReceiver: r, secret: sha256.Sum256([]byte(secret))}
	value, err := json.Marshal(receiverRecord{schema, r, one.secret[:]})
	if err != nil {
		return wire.SignalReceiver{}, "", fmt.Errorf("signals: %w", err)
	}
	key := store.Key(receiverKind, r.Agency, r.ID)
	if _, err := t.Store.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{{Key: key, Value: value}}); err != nil {
		return wire.SignalReceiver{}, "", fmt.Errorf("signals: keeping a receiver: %w", err)
	}
	t.mu.Lock()
	t.receivers[one.secret] = one
	t.mu.Unlock()
	return r, secret, nil
}

// RemoveReceiver ends a receiver of the agency with its streams and all that they
// hold. One that is not there, or another agency's, is store.ErrNotFound.
func (t *Transmitter) RemoveReceiver(ctx context.Context, agency, id string) (wire.SignalReceiver, error) {
	if wire.CheckID(receiverPrefix, id) != nil {
		return wire.SignalReceiver{}, fmt.Errorf("signals: %w", store.ErrNotFound)
	}
	taken, err := t.Store.Take(ctx, store.Key(receiverKind, agency, id))
	if err != nil {
		return wire.SignalReceiver{}, fmt.Errorf("signals: removing a receiver: %w", err)
	}
	t.mu.Lock()
	for secret, r := range t.receivers {
		if r.ID == id {
			delete(t.receivers, secret)
		}
	}
	t.mu.Unlock()
	var failed error
	for _, s := range t.streamsOf(agency, id) {
		failed = errors.Join(failed, t.deleteStream(ctx, s))
	}
	var gone receiverRecord
	if err := json.Unmarshal(taken.Value, &gone); err != nil {
		failed = errors.Join(failed, err)
	}
	return gone.SignalReceiver, failed
}

// Receivers returns an agency's receivers by name, with how their streams stand.
func (t *Transmitter) Receivers(agency string) []wire.SignalReceiver {
	t.mu.RLock()
	var all []wire.SignalReceiver
	for _, r := range t.receivers {
		if r.Agency == agency {
			all = append(all, r.SignalReceiver)
		}
	}
	t.mu.RUnlock()
	for i := range all {
		for _, s := range t.streamsOf(agency, all[i].ID) {
			all[i].Streams = append(all[i].Streams, s.shown())
		}
	}
	slices.SortFunc(all, func(a, b wire.SignalReceiver) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// known returns the receiver with this bearer secret at this agency, nil if
// there is none.
func (t *Transmitter) known(agency, secret string) *receiver {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.receivers[sha256.Sum256([]byte(secret))]
	if r == nil || r.Agency != agency {
		return nil
	}
	return r
}

var errEndpoint = errors.New("signals: not an address to push to")

// parseEndpoint accepts https addresses that mean one thing only: no user, no
// query, no fragment, no dots to climb by.
func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > mostURL {
		return nil, errEndpoint
	}
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") && clean != "/" {
		clean += "/"
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		u.Opaque != "" || u.RawPath != "" || u.Path != "" && u.Path != clean || strings.ContainsAny(text, "\\%\r\n\t #") {
		return nil, errEndpoint
	}
	return u, nil
}

// permits reports whether events may be pushed to this address.
func (r *receiver) permits(address string) bool {
	asked, err := parseEndpoint(address)
	if err != nil {
		return false
	}
	for _, text := range r.Push {
		allowed, err := parseEndpoint(text)
		if err != nil || !strings.EqualFold(allowed.Host, asked.Host) {
			continue
		}
		if asked.Path == allowed.Path || strings.HasSuffix(allowed.Path, "/") && strings.HasPrefix(asked.Path, allowed.Path) {
			return true
		}
	}
	return false
}
