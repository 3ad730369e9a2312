package ceremony

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// errNoSession says that the key must be touched: there is no session, or it
// has ended, or its person or key no longer counts.
var errNoSession = errors.New("ceremony: no session")

// session is the PDP's own, on its own origin. It saves a second touch of the
// key at the next portal; the device is confirmed again each time.
type session struct {
	SignIn   wire.SignIn `json:"sign_in"`
	LastUsed time.Time   `json:"last_used"`
}

type liveSession struct {
	kept[session]
	person wire.Person
}

func sessionCookie(r *http.Request) string {
	text, _ := cookie(r, cookieSession)
	return text
}

// findSession returns the live session of a cookie. It ends 12 hours after the
// key was touched and 15 minutes after its last use (requirements 15), and at
// once when the person is disabled or signed out, or the key revoked.
func (c *Ceremony) findSession(ctx context.Context, text string, now time.Time) (liveSession, error) {
	digest, ok := readSecret(text)
	if !ok {
		return liveSession{}, errNoSession
	}
	record, err := get[session](ctx, c.store, secretKey(kindSession, digest))
	if errors.Is(err, store.ErrNotFound) {
		return liveSession{}, errNoSession
	}
	if err != nil {
		return liveSession{}, err
	}
	if !now.Before(record.expires) || !now.Before(record.value.LastUsed.Add(sessionIdle)) {
		return liveSession{}, errNoSession
	}
	person, err := c.directory.Person(ctx, record.value.SignIn.PersonID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && (person.Disabled || !person.SignInStands(record.value.SignIn.At))) {
		return liveSession{}, errNoSession
	}
	if err != nil {
		return liveSession{}, err
	}
	counts, err := c.keyCounts(ctx, person.ID, record.value.SignIn)
	if err != nil {
		return liveSession{}, err
	}
	if !counts {
		return liveSession{}, errNoSession
	}
	return liveSession{kept: record, person: person}, nil
}

// keyCounts reports whether the key of a sign-in is still the person's, is not
// revoked, and is not a test key where those are no longer permitted.
func (c *Ceremony) keyCounts(ctx context.Context, personID string, signIn wire.SignIn) (bool, error) {
	if signIn.TestKey && c.test == nil {
		return false, nil
	}
	keys, err := c.directory.Keys(ctx, personID)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		if key.ID == signIn.KeyID {
			return !key.Revoked, nil
		}
	}
	return false, nil
}

// newSession starts a session and returns its cookie's value.
func (c *Ceremony) newSession(ctx context.Context, signIn wire.SignIn, now time.Time) (string, error) {
	text, digest, err := newSecret(c.random)
	if err != nil {
		return "", err
	}
	value := session{SignIn: signIn, LastUsed: now.UTC()}
	return text, putNew(ctx, c.store, secretKey(kindSession, digest), now.Add(sessionLife), value)
}

// touchSession puts the idle limit off. A lost race means that another tab
// used the session at the same time, which is a use as well, or ended it.
func (c *Ceremony) touchSession(ctx context.Context, s liveSession, text string, now time.Time) error {
	value := s.value
	value.LastUsed = now.UTC()
	err := s.replace(ctx, c.store, value)
	if errors.Is(err, store.ErrConflict) {
		_, err = c.findSession(ctx, text, now)
	}
	if errors.Is(err, errNoSession) {
		return refuse(reason.KeyTouchNeeded, err)
	}
	return err
}

// endSession deletes the session of a cookie, if there is one.
func (c *Ceremony) endSession(ctx context.Context, text string) error {
	digest, ok := readSecret(text)
	if !ok {
		return nil
	}
	_, err := c.store.Take(ctx, secretKey(kindSession, digest))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (c *Ceremony) signOut(w http.ResponseWriter, r *http.Request, _ struct{}) {
	if err := c.endSession(r.Context(), sessionCookie(r)); err != nil {
		c.answerRefusal(w, r, "sign-out", err)
		return
	}
	clearCookie(w, cookieSession)
	clearCookie(w, cookieCeremony)
	problem.WriteJSON(w, r, struct{}{})
}
