package reference

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// maxSigners bounds an agency's signers, removed ones too.
const maxSigners = 256

// Signers lists the keys whose bundles an agency trusts, removed ones too.
func (k *Keeper) Signers(ctx context.Context, agency string) ([]wire.BundleSigner, error) {
	all, err := list[wire.BundleSigner](ctx, k.Store, store.Prefix(kindSigner, agency))
	if err != nil {
		return nil, err
	}
	signers := make([]wire.BundleSigner, len(all))
	for i, f := range all {
		signers[i] = f.value
	}
	return signers, nil
}

// AddSigner has an agency trust bundles of this issuer that are signed by the
// key with this SubjectPublicKeyInfo. A key that was removed can come back.
func (k *Keeper) AddSigner(ctx context.Context, agency, issuer string, spki []byte, by string) (wire.BundleSigner, error) {
	if _, err := parseKey(spki); err != nil {
		return wire.BundleSigner{}, err
	}
	if issuer == "" || !isText(issuer) || issuer == ownIssuer {
		return wire.BundleSigner{}, malformed("issuer")
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	all, err := k.Signers(ctx, agency)
	if err != nil {
		return wire.BundleSigner{}, err
	}
	if len(all) >= maxSigners {
		return wire.BundleSigner{}, refuse(reason.RefTooMany)
	}
	s := wire.BundleSigner{Key: sha256.Sum256(spki), Agency: agency, Issuer: issuer, SPKI: spki, Added: k.step("", by)}
	key := signerKey(agency, s.Key)
	before, revision, err := get[wire.BundleSigner](ctx, k.Store, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return wire.BundleSigner{}, err
	}
	if err == nil && before.Removed.At.IsZero() {
		return wire.BundleSigner{}, refuse(reason.RefSignerInUse, "bundles", before.Issuer)
	}
	op, err := put(key, s)
	if err != nil {
		return wire.BundleSigner{}, err
	}
	return s, k.commit(ctx, agency, []store.Compare{{Key: key, Revision: revision}}, []store.Op{op})
}

// RemoveSigner ends an agency's trust in a key. It is refused while a bundle of
// that key is next or current: retire those first, so that nobody locks out a
// fleet unawares. Superseded values stay known, they only ever lower trust.
func (k *Keeper) RemoveSigner(ctx context.Context, agency, name, by string) (wire.BundleSigner, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	s, key, revision, err := k.signer(ctx, agency, name)
	if err != nil {
		return wire.BundleSigner{}, err
	}
	headers, err := list[header](ctx, k.Store, store.Prefix(kindBundle, agency))
	if err != nil {
		return wire.BundleSigner{}, err
	}
	for _, f := range headers {
		info := f.value.Info
		if f.value.Key == s.Key && (info.State == wire.BundleCurrent || info.State == wire.BundleNext) {
			return wire.BundleSigner{}, refuse(reason.RefSignerInUse, "bundles", bundleName(info.ID, info.Version))
		}
	}
	s.Removed = k.step("", by)
	op, err := put(key, s)
	if err != nil {
		return wire.BundleSigner{}, err
	}
	return s, k.commit(ctx, agency, []store.Compare{{Key: key, Revision: revision}}, []store.Op{op})
}

// signer finds a signer that is not removed by its key's digest.
func (k *Keeper) signer(ctx context.Context, agency, name string) (wire.BundleSigner, string, int64, error) {
	var digest wire.HexDigest
	if err := digest.UnmarshalText([]byte(name)); err != nil {
		return wire.BundleSigner{}, "", 0, store.ErrNotFound
	}
	key := signerKey(agency, digest)
	s, revision, err := get[wire.BundleSigner](ctx, k.Store, key)
	if err == nil && !s.Removed.At.IsZero() {
		err = store.ErrNotFound
	}
	return s, key, revision, err
}

// signerKeys are the keys that an agency's bundles verify by: also removed
// ones, whose bundles are superseded, and the PDP's own.
func (k *Keeper) signerKeys(ctx context.Context, agency string) (map[wire.HexDigest]crypto.PublicKey, error) {
	all, err := k.Signers(ctx, agency)
	if err != nil {
		return nil, err
	}
	keys := map[wire.HexDigest]crypto.PublicKey{k.approvalKey: k.Approval.Public()}
	for _, s := range all {
		if key, err := parseKey(s.SPKI); err == nil {
			keys[s.Key] = key
		}
	}
	return keys, nil
}

// trusted returns the signer of a bundle that is imported now.
func (k *Keeper) trusted(ctx context.Context, agency string, s wire.SignedBundle) (crypto.PublicKey, error) {
	all, err := k.Signers(ctx, agency)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(one wire.BundleSigner) bool { return one.Key == s.Key })
	if i < 0 || !all[i].Removed.At.IsZero() || all[i].Issuer != s.Bundle.Issuer {
		return nil, refuse(reason.RefSignature)
	}
	return parseKey(all[i].SPKI)
}
