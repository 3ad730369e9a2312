package policyset

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What is signed, each with a label of its own, so that no signature counts
// for anything else (Ed25519, RFC 8032).
const (
	labelSet        = "menshen/policy-set/v1\x00"
	labelApproval   = "menshen/policy-approval/v1\x00"
	labelActivation = "menshen/policy-activation/v1\x00"
)

// MaxBytes bounds the canonical form of a set's files.
const MaxBytes = 8 << 20

var errNotVerified = errors.New("policyset: not what was signed")

// file is one file of a set in its canonical form.
type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// canonical returns the bytes that a set's digest covers: its files in the order
// of their names, as compact JSON.
func canonical(files map[string][]byte) ([]byte, error) {
	list := make([]file, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		// JSON would replace what is not UTF-8, and two sets would be one.
		if !utf8.ValidString(name) || !utf8.Valid(files[name]) {
			return nil, tooLarge()
		}
		list = append(list, file{Name: name, Text: string(files[name])})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("policyset: %w", err)
	}
	if len(raw) > MaxBytes {
		return nil, tooLarge()
	}
	return raw, nil
}

func tooLarge() error { return refuse(reason.SetTooLarge, "limit", fmt.Sprint(MaxBytes)) }

func parseFiles(raw []byte) (map[string][]byte, error) {
	var list []file
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotVerified, err)
	}
	files := make(map[string][]byte, len(list))
	for _, f := range list {
		files[f.Name] = []byte(f.Text)
	}
	return files, nil
}

// sealedSet is what is signed of a set when it is kept.
type sealedSet struct {
	Version    string         `json:"version"`
	Digest     wire.HexDigest `json:"digest"`
	Configured bool           `json:"configured"`
}

// sealedApproval is what is signed of an approval: which set it is for, too.
type sealedApproval struct {
	Version  string              `json:"version"`
	Digest   wire.HexDigest      `json:"digest"`
	Approval wire.PolicyApproval `json:"approval"`
}

type signedApproval struct {
	Approval  wire.PolicyApproval `json:"approval"`
	Signature []byte              `json:"signature"`
}

// activation is a set's coming into force. The officers approved the content
// that Digest names; Version is how this program calls it.
type activation struct {
	Number     uint64                `json:"number"`
	Version    string                `json:"version"`
	Digest     wire.HexDigest        `json:"digest"`
	Previous   string                `json:"previous"`
	Configured bool                  `json:"configured"`
	Needed     int                   `json:"needed"` // approvals
	Approvals  []wire.PolicyApproval `json:"approvals"`
	At         time.Time             `json:"at"`
}

type signedActivation struct {
	Activation activation `json:"activation"`
	Signature  []byte     `json:"signature"`
}

func (k *Keeper) sign(label string, v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("policyset: %w", err)
	}
	return ed25519.Sign(k.Approval, append([]byte(label), raw...)), nil
}

func (k *Keeper) verifies(label string, v any, signature []byte) bool {
	raw, err := json.Marshal(v)
	return err == nil && ed25519.Verify(k.approvalKey, append([]byte(label), raw...), signature)
}

// seal signs a set as it is kept.
func (k *Keeper) seal(h *header) (err error) {
	h.Signature, err = k.sign(labelSet, sealedOf(h))
	return err
}

func sealedOf(h *header) sealedSet {
	return sealedSet{Version: h.Set.Version, Digest: h.Set.Digest, Configured: h.Set.Configured}
}

// read returns the files of a set if they are what was signed, else an error
// that wraps errNotVerified.
func (k *Keeper) read(ctx context.Context, h *header) (map[string][]byte, error) {
	raw, err := k.content(ctx, h.Set.Version, h.Parts)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(raw) != h.Set.Digest || !k.verifies(labelSet, sealedOf(h), h.Signature) {
		return nil, errNotVerified
	}
	return parseFiles(raw)
}

// approvals are those of a set that verify and were given since that activation.
func (k *Keeper) approvals(h *header, against uint64) []signedApproval {
	var good []signedApproval
	for _, a := range h.Approvals {
		sealed := sealedApproval{h.Set.Version, h.Set.Digest, a.Approval}
		if a.Approval.Against == against && k.verifies(labelApproval, sealed, a.Signature) {
			good = append(good, a)
		}
	}
	return good
}

func (k *Keeper) approve(h *header, against uint64, by string) (signedApproval, error) {
	a := wire.PolicyApproval{By: by, At: k.now(), Against: against}
	signature, err := k.sign(labelApproval, sealedApproval{h.Set.Version, h.Set.Digest, a})
	return signedApproval{a, signature}, err
}

// stands reports whether an activation is signed and has the approvals that it
// needed, each of another officer.
func (k *Keeper) stands(s signedActivation) bool {
	a := s.Activation
	if !k.verifies(labelActivation, a, s.Signature) {
		return false
	}
	officers := map[string]bool{}
	for _, one := range a.Approvals {
		officers[one.By] = true
	}
	return a.Configured || (a.Needed >= 1 && len(officers) >= a.Needed)
}
