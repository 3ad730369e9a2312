package risk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Path is where an agency's sources push to, below the PDP's own origin.
const Path = "/a/{agency}/ssf/events"

// Handler takes pushed tokens (RFC 8935, 2) at Path.
func (l *Listener) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, l.receive)
	return mux
}

func (l *Listener) receive(w http.ResponseWriter, r *http.Request) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	from := l.known(r.PathValue("agency"), secret)
	if !ok || from == nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, r, http.StatusUnauthorized, &refusal{errAuthentication, reason.New(reason.RiskSourceUnknown)})
		return
	}
	compact, err := readToken(w, r)
	var by KeySet
	if err == nil {
		by, err = l.keysOf(r.Context(), from)
	}
	if err == nil {
		// Only now: slow senders wait at their own cost.
		select {
		case l.busy <- struct{}{}:
			defer func() { <-l.busy }()
		default:
			w.Header().Set("Retry-After", "1")
			problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
			return
		}
		err = l.accept(r.Context(), from, by, compact)
	}
	var no *refusal
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.As(err, &no):
		l.Logger.Warn("a token of a risk source was refused", "agency", from.Agency, "from", from.ID, "code", no.why.Code)
		if n := from.due(l.Clock()); n > 0 {
			if err := l.record(r.Context(), wire.AuditRecord{Agency: from.Agency}, map[string]string{"event": "risk-refused", "source": from.ID, "why": no.why.Code, "times": strconv.Itoa(n)}); err != nil {
				l.Logger.Error("a refusal cannot be recorded", "error", err)
			}
		}
		answer(w, r, http.StatusBadRequest, no)
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", "60")
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.RiskTooMany))
	default:
		l.Logger.Error("a token of a risk source cannot be taken", "from", from.ID, "error", err)
		w.Header().Set("Retry-After", "5")
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
	}
}

// answer writes the error document of RFC 8935, 2.3.
func answer(w http.ResponseWriter, r *http.Request, status int, no *refusal) {
	language := reason.Negotiate(r.Header.Get("Accept-Language"))
	body, err := json.Marshal(map[string]string{"err": no.err, "description": no.why.Code + ": " + reason.Of(language, no.why).What})
	if err != nil {
		body = []byte(`{"err":"` + errRequest + `"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Language", string(language))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
}

func (l *Listener) accept(ctx context.Context, from *source, by KeySet, compact string) error {
	h, err := l.hear(ctx, from, by, compact)
	if err != nil || h.statement == nil {
		return err
	}
	return l.take(context.WithoutCancel(ctx), from, h, sha256.Sum256([]byte(compact)))
}

// readToken reads the one token that a request holds.
func readToken(w http.ResponseWriter, r *http.Request) (string, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/secevent+jwt" {
		return "", refused(errRequest, reason.RiskNotAnEvent)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxToken))
	if err != nil {
		return "", refused(errRequest, reason.RiskNotAnEvent)
	}
	return string(bytes.TrimSpace(raw)), nil
}

var errTooMany = errors.New("risk: a source has as many statements as it may have")

// taken is a token that was taken, so that it counts once.
type taken struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	Digest  []byte    `json:"digest"`
}

// take makes a token's statement count: once, on record, and only if the source
// has not said something later.
func (l *Listener) take(ctx context.Context, from *source, h heard, digest [sha256.Size]byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	l.saying.Lock()
	defer l.saying.Unlock()
	name := sha256.Sum256([]byte(from.ID + "\x00" + h.id))
	key := store.Key(TokenKind, from.Agency, hex.EncodeToString(name[:]))
	switch before, err := l.Store.Get(ctx, key, store.Linearizable); {
	case err == nil:
		return same(before.Value, digest)
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("risk: %w", err)
	}
	s := *h.statement
	l.mu.RLock()
	last, said := l.statements[s.subject()][s.name()]
	full := !said && l.counts[from.ID] >= mostStatements
	_, still := l.sources[from.secret]
	l.mu.RUnlock()
	if full {
		return errTooMany
	}
	if !still { // it was removed meanwhile
		return &refusal{errAuthentication, reason.New(reason.RiskSourceUnknown)}
	}
	outdated := said && s.At.Before(last.At)
	if err := l.record(ctx, wire.AuditRecord{Agency: from.Agency, Subject: s.Person, Device: s.Device}, map[string]string{
		"event": "risk-reported", "source": from.ID, "topic": string(s.Topic), "level": string(s.Level), "jti": h.id,
		"since": s.At.Format(time.RFC3339), "until": s.Expires.Format(time.RFC3339), "outdated": strconv.FormatBool(outdated),
	}); err != nil {
		return err
	}
	ops, err := writes(key, taken{schema, h.issuedAt.Add(from.life() + skew), digest[:]}, s, outdated)
	if err != nil {
		return err
	}
	if _, err := l.Store.Txn(ctx, []store.Compare{{Key: key}}, ops); err != nil {
		return fmt.Errorf("risk: keeping a statement: %w", err)
	}
	if outdated {
		return nil
	}
	l.mu.Lock()
	l.keep(s)
	l.mu.Unlock()
	l.tell(s)
	return nil
}

// same tells a token that is sent again, which is well, from another one under
// its id.
func same(raw []byte, digest [sha256.Size]byte) error {
	var t taken
	if err := json.Unmarshal(raw, &t); err != nil || t.V != schema {
		return fmt.Errorf("risk: unreadable token of schema %d: %w", t.V, err)
	}
	if !bytes.Equal(t.Digest, digest[:]) {
		return wrongClaim("jti")
	}
	return nil
}

func writes(key string, t taken, s statement, outdated bool) ([]store.Op, error) {
	token, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("risk: %w", err)
	}
	ops := []store.Op{{Key: key, Value: token}}
	if outdated {
		return ops, nil
	}
	value, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("risk: %w", err)
	}
	return append(ops, store.Op{Key: s.key(), Value: value}), nil
}

func (l *Listener) record(ctx context.Context, r wire.AuditRecord, detail map[string]string) error {
	raw, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("risk: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
	defer cancel()
	r.Kind, r.At, r.Detail = wire.AuditSignal, l.Clock().UTC(), raw
	if _, err := l.Recorder.Append(ctx, r); err != nil {
		return fmt.Errorf("risk: audit: %w", err)
	}
	return nil
}
