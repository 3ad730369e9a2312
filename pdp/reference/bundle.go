package reference

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of a bundle.
const (
	// MaxBundleBytes bounds a signed bundle as it is sent.
	MaxBundleBytes = 16 << 20

	schema     = 1
	maxEntries = 20_000
	maxFiles   = 200_000
	maxMembers = 8192
	maxText    = 256
	maxPath    = 4096
	maxVersion = 1 << 53 // of numbers that every JSON reader can read
)

var idShape = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// Canonical returns the bytes that a bundle's signature covers, after the
// label: compact JSON (wire.Bundle).
func Canonical(b wire.Bundle) ([]byte, error) {
	b.Created = b.Created.UTC()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// signedBytes keeps a bundle's signature from counting for anything else.
func signedBytes(canonical []byte) []byte {
	return append([]byte("menshen/reference-bundle/v1\x00"), canonical...)
}

// Sign puts entries and files in order and signs the bundle with an Ed25519 or
// ECDSA P-256 key.
func Sign(b wire.Bundle, key crypto.Signer) (wire.SignedBundle, error) {
	sortBundle(&b)
	b.Created = b.Created.UTC().Truncate(time.Second)
	if err := check(b); err != nil {
		return wire.SignedBundle{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return wire.SignedBundle{}, fmt.Errorf("reference: %w", err)
	}
	if _, err := parseKey(spki); err != nil {
		return wire.SignedBundle{}, err
	}
	canonical, err := Canonical(b)
	if err != nil {
		return wire.SignedBundle{}, err
	}
	signature, err := sign(key, signedBytes(canonical))
	return wire.SignedBundle{Bundle: b, Key: sha256.Sum256(spki), Signature: signature}, err
}

func sign(key crypto.Signer, message []byte) ([]byte, error) {
	var options crypto.SignerOpts = crypto.Hash(0)
	if _, ok := key.Public().(ed25519.PublicKey); !ok {
		digest := sha256.Sum256(message)
		message, options = digest[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, message, options)
	if err != nil {
		return nil, fmt.Errorf("reference: signing: %w", err)
	}
	return signature, nil
}

// verifies reports whether signature is key's over the canonical bytes.
func verifies(key crypto.PublicKey, canonical, signature []byte) bool {
	message := signedBytes(canonical)
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(key, digest[:], signature)
	}
	return false
}

// parseKey reads a signer's SubjectPublicKeyInfo, which must be in the one form
// that marshals back to itself.
func parseKey(spki []byte) (crypto.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, refuse(reason.RefSignerKey)
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, refuse(reason.RefSignerKey)
		}
	default:
		return nil, refuse(reason.RefSignerKey)
	}
	if again, err := x509.MarshalPKIXPublicKey(key); err != nil || !bytes.Equal(again, spki) {
		return nil, refuse(reason.RefSignerKey)
	}
	return key, nil
}

// Parse reads a signed bundle strictly and holds it to its bounds and order.
// Its signature is not verified.
func Parse(raw []byte) (wire.SignedBundle, error) {
	if len(raw) > MaxBundleBytes {
		return wire.SignedBundle{}, malformed("longer than %d bytes", MaxBundleBytes)
	}
	var s wire.SignedBundle
	if err := strictjson.Unmarshal(raw, &s); err != nil {
		return wire.SignedBundle{}, malformed("%v", err)
	}
	return s, check(s.Bundle)
}

// malformed refuses a bundle and says why, for the administrator who sent it.
func malformed(format string, args ...any) error {
	return refuse(reason.RefMalformed, "detail", fmt.Sprintf(format, args...))
}

func check(b wire.Bundle) error {
	switch {
	case b.Schema != schema:
		return malformed("schema %d, where %d is known", b.Schema, schema)
	case !idShape.MatchString(b.ID):
		return refuse(reason.RefID, "id", shortText(b.ID))
	case !isText(b.Issuer) || b.Issuer == "":
		return malformed("issuer")
	case b.Agency != wire.AnyAgency && !idShape.MatchString(b.Agency):
		return malformed("agency")
	case b.Version == 0 || b.Version > maxVersion:
		return malformed("version")
	case b.Created.IsZero() || b.Created.Year() > 9999 || !b.Created.Equal(b.Created.Truncate(time.Second)):
		return malformed("created: whole seconds are needed")
	case !isText(b.Note):
		return malformed("note")
	case len(b.Entries) == 0 && len(b.Files) == 0:
		return malformed("no values")
	case len(b.Entries) > maxEntries || len(b.Files) > maxFiles:
		return malformed("more than %d entries or %d files", maxEntries, maxFiles)
	}
	for i, e := range b.Entries {
		if err := checkEntry(e); err != nil {
			return err
		}
		if i > 0 && compareEntries(b.Entries[i-1], e) >= 0 {
			return malformed("entries[%d] is out of order or stands twice", i)
		}
	}
	for i, f := range b.Files {
		if f.Path == "" || f.Path[0] != '/' || len(f.Path) > maxPath || !utf8.ValidString(f.Path) {
			return malformed("files[%d]: path", i)
		}
		if i > 0 && bytes.Compare(b.Files[i-1].Digest[:], f.Digest[:]) >= 0 {
			return malformed("files[%d] is out of order or stands twice", i)
		}
	}
	return nil
}

func checkEntry(e wire.BundleEntry) error {
	switch {
	case !slices.Contains(wire.QuotedPCRs[:], e.PCR):
		return malformed("PCR %d is not quoted", e.PCR)
	case !isKind(e.Kind):
		return malformed("PCR %d: kind %q", e.PCR, shortText(string(e.Kind)))
	case e.Name == "" || !isText(e.Name) || !isText(e.Note):
		return malformed("PCR %d %s: name or note", e.PCR, e.Kind)
	case e.Digest == wire.HexDigest{}:
		return malformed("PCR %d %s %s: digest", e.PCR, e.Kind, e.Name)
	case len(e.Members) > maxMembers:
		return malformed("PCR %d %s %s: more than %d members", e.PCR, e.Kind, e.Name, maxMembers)
	}
	return nil
}

// isKind reports whether a kind can have reference values. A separator cannot:
// the parser knows what it must be.
func isKind(kind wire.MeasurementKind) bool {
	switch kind {
	case wire.MeasuredFirmware, wire.MeasuredSetting, wire.MeasuredOptionROM, wire.MeasuredSecureBoot, wire.MeasuredPK,
		wire.MeasuredKEK, wire.MeasuredDB, wire.MeasuredDBX, wire.MeasuredPolicy, wire.MeasuredAuthority, wire.MeasuredBootApplication,
		wire.MeasuredMOK, wire.MeasuredLoaderCommand, wire.MeasuredCommandLine, wire.MeasuredFile, wire.MeasuredPartitions,
		wire.MeasuredAction, wire.MeasuredUnknown:
		return true
	}
	return false
}

// isText reports whether s is one short printable line.
func isText(s string) bool {
	if len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// shortText makes any text one short printable line.
func shortText(s string) string {
	var out []rune
	size := 0
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		if size += utf8.RuneLen(r); size > maxText {
			break
		}
		out = append(out, r)
	}
	return string(out)
}

func compareEntries(a, b wire.BundleEntry) int {
	return cmp.Or(cmp.Compare(a.PCR, b.PCR), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), bytes.Compare(a.Digest[:], b.Digest[:]))
}

func sortBundle(b *wire.Bundle) {
	b.Entries, b.Files = slices.Clone(b.Entries), slices.Clone(b.Files)
	slices.SortFunc(b.Entries, compareEntries)
	slices.SortFunc(b.Files, func(x, y wire.BundleFile) int { return bytes.Compare(x.Digest[:], y.Digest[:]) })
}
