package ceremony

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const purposeRegistration = "registration"

// wantedKeys is how many keys everybody should have: one in use, one put away.
const wantedKeys = 2

// maxNickname bounds a nickname, in characters.
const maxNickname = 40

// link is a registration link that is out. Its secret is not kept.
type link struct {
	PersonID string `json:"person_id"`
}

// registration is one under way, sealed in the browser's cookie.
type registration struct {
	Challenge []byte `json:"challenge"`
	LinkKey   string `json:"link"` // the link record's key in the store
	PersonID  string `json:"person_id"`
}

// NewLink makes a link with which this person registers one security key,
// once, within life. The secret is in the fragment, which browsers do not send.
func (c *Ceremony) NewLink(ctx context.Context, personID string, life time.Duration) (string, error) {
	if life <= 0 || life > maxLinkLife {
		return "", fmt.Errorf("ceremony: a link's life of %s is not between 0 and %s", life, maxLinkLife)
	}
	person, err := c.directory.Person(ctx, personID)
	if err != nil {
		return "", err
	}
	if person.Disabled {
		return "", refuseWith(http.StatusConflict, reason.KeyPersonDisabled, nil)
	}
	secret, err := c.newLinkSecret(ctx, personID, life)
	if err != nil {
		return "", err
	}
	return c.origin + "/register#" + secret, nil
}

func (c *Ceremony) newLinkSecret(ctx context.Context, personID string, life time.Duration) (string, error) {
	text, digest, err := newSecret(c.random)
	if err != nil {
		return "", err
	}
	return text, putNew(ctx, c.store, secretKey(kindLink, digest), c.clock().Add(life), link{PersonID: personID})
}

// openLink returns a live link and its person. Looking at one spends nothing,
// and a wrong secret touches nobody's link.
func (c *Ceremony) openLink(ctx context.Context, key string) (kept[link], wire.Person, error) {
	record, err := get[link](ctx, c.store, key)
	if errors.Is(err, store.ErrNotFound) {
		return record, wire.Person{}, refuse(reason.KeyLinkInvalid, err)
	}
	if err != nil {
		return record, wire.Person{}, err
	}
	if !c.clock().Before(record.expires) {
		return record, wire.Person{}, refuse(reason.KeyLinkInvalid, errors.New("link expired"))
	}
	person, err := c.directory.Person(ctx, record.value.PersonID)
	if errors.Is(err, store.ErrNotFound) {
		return record, wire.Person{}, refuse(reason.KeyLinkInvalid, err)
	}
	if err == nil && person.Disabled {
		err = refuse(reason.KeyPersonDisabled, nil)
	}
	return record, person, err
}

type registerStartRequest struct {
	Secret string `json:"secret"`
}

type registerStartAnswer struct {
	Options *protocol.PublicKeyCredentialCreationOptions `json:"options"`
	Person  string                                       `json:"person"`
	Account string                                       `json:"account"`
	Keys    int                                          `json:"keys"`
}

func (c *Ceremony) startRegistration(w http.ResponseWriter, r *http.Request, request registerStartRequest) {
	answer, sealed, err := c.offerRegistration(r.Context(), request.Secret)
	if err != nil {
		c.answerRefusal(w, r, "register-start", err)
		return
	}
	setCookie(w, cookieRegistration, sealed, registrationLife)
	problem.WriteJSON(w, r, answer)
}

func (c *Ceremony) offerRegistration(ctx context.Context, secret string) (registerStartAnswer, string, error) {
	digest, ok := readSecret(secret)
	if !ok {
		return registerStartAnswer{}, "", refuse(reason.KeyLinkInvalid, errors.New("malformed secret"))
	}
	record, person, err := c.openLink(ctx, secretKey(kindLink, digest))
	if err != nil {
		return registerStartAnswer{}, "", err
	}
	keys, err := c.directory.Keys(ctx, person.ID)
	if err != nil {
		return registerStartAnswer{}, "", err
	}
	state := registration{Challenge: make([]byte, challengeSize), LinkKey: record.key, PersonID: person.ID}
	if _, err := io.ReadFull(c.random, state.Challenge); err != nil {
		return registerStartAnswer{}, "", fmt.Errorf("ceremony: drawing a challenge: %w", err)
	}
	creation, _, err := c.proven.BeginRegistration(keyOwner{person: person}, creationOptions(state.Challenge, keys)...)
	if err != nil {
		return registerStartAnswer{}, "", fmt.Errorf("ceremony: %w", err)
	}
	sealed, err := c.sealer.Seal(purposeRegistration, c.clock().Add(registrationLife), state)
	if err != nil {
		return registerStartAnswer{}, "", fmt.Errorf("ceremony: sealing: %w", err)
	}
	return registerStartAnswer{Options: &creation.Response, Person: person.Name, Account: person.Account, Keys: usable(keys)}, sealed, nil
}

func creationOptions(challenge []byte, keys []wire.SecurityKey) []webauthn.RegistrationOption {
	exclude := make([]protocol.CredentialDescriptor, 0, len(keys))
	for _, key := range keys {
		exclude = append(exclude, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: key.CredentialID})
	}
	return []webauthn.RegistrationOption{
		webauthn.WithExclusions(exclude),
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
		webauthn.WithPublicKeyCredentialHints([]protocol.PublicKeyCredentialHints{protocol.PublicKeyCredentialHintSecurityKey}),
		func(options *protocol.PublicKeyCredentialCreationOptions) error {
			options.Challenge = challenge
			return nil
		},
	}
}

func usable(keys []wire.SecurityKey) (n int) {
	for _, key := range keys {
		if !key.Revoked {
			n++
		}
	}
	return n
}

type registerFinishRequest struct {
	Nickname   string            `json:"nickname"`
	Credential credentialRequest `json:"credential"`
}

type registerFinishAnswer struct {
	Model    string `json:"model"`
	Nickname string `json:"nickname"`
	Keys     int    `json:"keys"`
	// Next is the secret of a link for the second key, where one is wanted.
	Next string `json:"next,omitempty"`
}

func (c *Ceremony) finishRegistration(w http.ResponseWriter, r *http.Request, request registerFinishRequest) {
	answer, err := c.register(r, request)
	if err != nil {
		c.answerRefusal(w, r, "register-finish", err)
		return
	}
	clearCookie(w, cookieRegistration)
	problem.WriteJSON(w, r, answer)
}

func (c *Ceremony) register(r *http.Request, request registerFinishRequest) (registerFinishAnswer, error) {
	ctx, now := r.Context(), c.clock()
	var state registration
	text, ok := cookie(r, cookieRegistration)
	if !ok {
		return registerFinishAnswer{}, refuse(reason.KeySignInExpired, errors.New("no registration cookie"))
	}
	if err := c.sealer.Open(purposeRegistration, text, now, &state); err != nil {
		return registerFinishAnswer{}, refuseTicket(err, reason.KeySignInExpired)
	}
	nickname, err := checkNickname(request.Nickname)
	if err != nil {
		return registerFinishAnswer{}, err
	}
	record, person, err := c.openLink(ctx, state.LinkKey)
	if err != nil {
		return registerFinishAnswer{}, err
	}
	key, err := c.verifyCreation(ctx, state.Challenge, person, request.Credential, now)
	if err != nil {
		c.recordKeyRefused(ctx, person, err)
		return registerFinishAnswer{}, err
	}
	if key.Nickname = nickname; nickname == "" {
		key.Nickname = key.Model
	}
	return c.addKey(ctx, record, person, key)
}

// addKey spends the link and keeps the key. The link is given back where the
// key was not kept, so that a full disk costs nobody a link. Where it may have
// been kept all the same, the link would register a second key.
func (c *Ceremony) addKey(ctx context.Context, record kept[link], person wire.Person, key wire.SecurityKey) (registerFinishAnswer, error) {
	if _, err := c.directory.KeyByCredential(ctx, key.CredentialID); err == nil {
		return registerFinishAnswer{}, refuseWith(http.StatusConflict, reason.KeyAlreadyRegistered, nil)
	} else if !errors.Is(err, store.ErrNotFound) {
		return registerFinishAnswer{}, err
	}
	if err := record.remove(ctx, c.store); errors.Is(err, store.ErrConflict) {
		return registerFinishAnswer{}, refuse(reason.KeyLinkInvalid, err)
	} else if err != nil {
		return registerFinishAnswer{}, err
	}
	added, err := c.keepKey(ctx, person, key)
	if errors.Is(err, store.ErrIndeterminate) {
		return registerFinishAnswer{}, err
	}
	if err != nil {
		if back := putNew(ctx, c.store, record.key, record.expires, record.value); back != nil {
			c.logger.ErrorContext(ctx, "a registration link was lost", "person", person.ID, "error", back.Error())
		}
		return registerFinishAnswer{}, err
	}
	answer := registerFinishAnswer{Model: added.Model, Nickname: added.Nickname}
	keys, err := c.directory.Keys(ctx, person.ID)
	if err != nil {
		return registerFinishAnswer{}, err
	}
	if answer.Keys = usable(keys); answer.Keys < wantedKeys {
		answer.Next, err = c.newLinkSecret(ctx, person.ID, secondKeyLife)
	}
	return answer, err
}

func (c *Ceremony) keepKey(ctx context.Context, person wire.Person, key wire.SecurityKey) (wire.SecurityKey, error) {
	detail := keyAddedDetail{
		Outcome: outcomeAccepted, AAGUID: hex.EncodeToString(key.AAGUID), Model: key.Model, Hardware: key.Hardware, TestKey: !key.Hardware,
	}
	if err := c.record(ctx, wire.AuditRecord{Kind: wire.AuditKeyAdded, Agency: person.Agency, Subject: person.ID}, detail); err != nil {
		return wire.SecurityKey{}, err
	}
	added, err := c.directory.AddKey(ctx, key)
	if errors.Is(err, store.ErrConflict) {
		return added, refuseWith(http.StatusConflict, reason.KeyAlreadyRegistered, err)
	}
	return added, err
}

func (c *Ceremony) recordKeyRefused(ctx context.Context, person wire.Person, why error) {
	detail := keyAddedDetail{Outcome: outcomeRefused, Code: asRefusal(why).why.Code}
	if err := c.record(ctx, wire.AuditRecord{Kind: wire.AuditKeyAdded, Agency: person.Agency, Subject: person.ID}, detail); err != nil {
		c.logger.ErrorContext(ctx, "refusal not recorded", "error", err.Error())
	}
}

// checkNickname accepts an empty nickname and short printable ones.
func checkNickname(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxNickname ||
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", refuseWith(http.StatusBadRequest, reason.KeyNickname, nil)
	}
	return text, nil
}
