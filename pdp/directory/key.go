package directory

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Credential ids are indexed by their digest: an authenticator may choose up
// to 1023 bytes (CTAP 2.1, 6.1.2).
func credentialKey(credentialID []byte) string {
	digest := sha256.Sum256(credentialID)
	return hexKey("credential", digest[:])
}

// The keys of one person lie under one prefix of this index.
func personKeyPrefix(agency, personID string) string {
	return store.Prefix("person-key", agency) + personID + "."
}

// AddKey registers a security key for an existing, enabled person. ID, Agency,
// AddedAt and Revoked are set here. ErrExists says that the credential is
// registered already, for whomever.
func (d *Directory) AddKey(ctx context.Context, k wire.SecurityKey) (wire.SecurityKey, error) {
	if err := checkKey(k); err != nil {
		return wire.SecurityKey{}, err
	}
	p, personAt, revision, err := find[wire.Person](ctx, d, KindPerson, k.PersonID)
	if err != nil {
		return wire.SecurityKey{}, fmt.Errorf("person %s: %w", k.PersonID, err)
	}
	if p.Disabled {
		return wire.SecurityKey{}, fmt.Errorf("person %s is disabled: %w", p.ID, ErrState)
	}
	ids, err := list[string](ctx, d.store, personKeyPrefix(p.Agency, p.ID))
	if err != nil {
		return wire.SecurityKey{}, err
	}
	if len(ids) >= maxKeys {
		return wire.SecurityKey{}, wrong("security keys", reason.CfgTooManyKeys)
	}
	if k.ID, err = wire.NewID(wire.PrefixKey, d.random); err != nil {
		return wire.SecurityKey{}, err
	}
	k.Agency, k.AddedAt, k.Revoked = p.Agency, d.clock().UTC(), false
	conditions, ops, err := keyOps(k)
	if err != nil {
		return wire.SecurityKey{}, err
	}
	// The person's record is written again, so that of two additions at once
	// one fails and the bound holds, and a person disabled meanwhile gets no key.
	person, err := put(personAt, p)
	if err != nil {
		return wire.SecurityKey{}, err
	}
	conditions = append(conditions, store.Compare{Key: personAt, Revision: revision})
	if err := d.create(ctx, conditions, append(ops, person), keyChange(k)); err != nil {
		return wire.SecurityKey{}, err
	}
	return k, nil
}

func checkKey(k wire.SecurityKey) error {
	if wire.CheckID(wire.PrefixPerson, k.PersonID) != nil {
		return wrong("person id", reason.CfgValue)
	}
	if len(k.CredentialID) < 16 || len(k.CredentialID) > 1023 {
		return wrong("credential id", reason.CfgValue)
	}
	if len(k.AAGUID) != 16 {
		return wrong("AAGUID", reason.CfgValue)
	}
	if len(k.Transports) > 16 {
		return wrong("transports", reason.CfgValue)
	}
	for _, err := range []error{checkBlob("public key", k.PublicKey), checkName("nickname", k.Nickname), checkName("model", k.Model)} {
		if err != nil {
			return err
		}
	}
	return nil
}

func keyOps(k wire.SecurityKey) ([]store.Compare, []store.Op, error) {
	record, err := put(store.Key(KindKey, k.Agency, k.ID), k)
	if err != nil {
		return nil, nil, err
	}
	owner, err := put(ownerKey(k.ID), k.Agency)
	if err != nil {
		return nil, nil, err
	}
	credential, ofPerson := credentialKey(k.CredentialID), personKeyPrefix(k.Agency, k.PersonID)+k.ID
	indexes, err := puts(k.ID, credential, ofPerson)
	if err != nil {
		return nil, nil, err
	}
	return absent(record.Key, owner.Key, credential, ofPerson), append(indexes, record, owner), nil
}

func keyChange(k wire.SecurityKey) Change {
	return Change{Kind: KindKey, Agency: k.Agency, ID: k.ID, PersonID: k.PersonID}
}

// Key returns the security key with this id.
func (d *Directory) Key(ctx context.Context, id string) (wire.SecurityKey, error) {
	if wire.CheckID(wire.PrefixKey, id) != nil {
		return wire.SecurityKey{}, ErrNotFound
	}
	k, _, _, err := find[wire.SecurityKey](ctx, d, KindKey, id)
	return k, err
}

// KeyByCredential returns the security key with this WebAuthn credential id.
func (d *Directory) KeyByCredential(ctx context.Context, credentialID []byte) (wire.SecurityKey, error) {
	id, _, err := get[string](ctx, d.store, credentialKey(credentialID))
	if err != nil {
		return wire.SecurityKey{}, err
	}
	k, err := d.Key(ctx, id)
	if err == nil && subtle.ConstantTimeCompare(k.CredentialID, credentialID) != 1 {
		return wire.SecurityKey{}, ErrNotFound
	}
	return k, err
}

// Keys returns a person's security keys, revoked ones too.
func (d *Directory) Keys(ctx context.Context, personID string) ([]wire.SecurityKey, error) {
	p, err := d.Person(ctx, personID)
	if err != nil {
		return nil, err
	}
	ids, err := list[string](ctx, d.store, personKeyPrefix(p.Agency, p.ID))
	if err != nil {
		return nil, err
	}
	keys := make([]wire.SecurityKey, 0, len(ids))
	for _, id := range ids {
		k, _, err := get[wire.SecurityKey](ctx, d.store, store.Key(KindKey, p.Agency, id))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// TouchKey records one use of a key. It refuses with ErrSignCount a counter
// that did not grow, unless the key has none (both zero), and with ErrState a
// revoked key. Of two uses with one counter value, one succeeds.
func (d *Directory) TouchKey(ctx context.Context, keyID string, signCount uint32, at time.Time) error {
	if wire.CheckID(wire.PrefixKey, keyID) != nil {
		return ErrNotFound
	}
	_, err := update(ctx, d, KindKey, keyID, func(k *wire.SecurityKey) error {
		if k.Revoked {
			return fmt.Errorf("security key is revoked: %w", ErrState)
		}
		if signCount <= k.SignCount && (signCount != 0 || k.SignCount != 0) {
			return ErrSignCount
		}
		k.SignCount, k.LastUsedAt = signCount, at.UTC()
		return nil
	}, nil)
	return err
}

// RevokeKey makes a key useless for ever.
func (d *Directory) RevokeKey(ctx context.Context, keyID string) error {
	if wire.CheckID(wire.PrefixKey, keyID) != nil {
		return ErrNotFound
	}
	_, err := update(ctx, d, KindKey, keyID, func(k *wire.SecurityKey) error { k.Revoked = true; return nil }, keyChange)
	return err
}
