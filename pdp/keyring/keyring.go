// Package keyring keeps the PDP's own secrets on its disk: the key that seals
// tickets, the key of the plugins' pseudonyms, the key that signs the audit
// log's head, and the private CA of the
// agents' and proxies' ports. Each is a file of its own, mode 0600, made once
// by Create and never replaced. None of them enters the store or a backup of it
// (design: invariant 7).
package keyring

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	sealFile      = "seal.key"
	pseudonymFile = "pseudonym.key"
	auditFile     = "audit.key"
	caCertFile    = "agents-ca.pem"
	caKeyFile     = "agents-ca.key"
)

// ErrExists is returned by Create where there are keys already.
var ErrExists = errors.New("keyring: keys exist already and are never replaced")

// Ring is what Open read.
type Ring struct {
	Seal      [32]byte
	Pseudonym [32]byte
	// Audit signs the head of the audit log (Ed25519, RFC 8032).
	Audit     ed25519.PrivateKey
	Authority *Authority
}

// Create makes a new ring in the folder dir.
func Create(dir string, authority *Authority) error {
	for _, name := range [...]string{sealFile, pseudonymFile, auditFile, caCertFile, caKeyFile} {
		// A part of a ring is somebody's ring too: half restored, or half made.
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%w: %s holds %s", ErrExists, dir, name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	certPEM, keyPEM, err := authority.encode()
	if err != nil {
		return err
	}
	files := map[string][]byte{caCertFile: certPEM, caKeyFile: keyPEM}
	for _, name := range [...]string{sealFile, pseudonymFile, auditFile} {
		var key [32]byte
		_, _ = rand.Read(key[:]) // documented never to fail
		files[name] = []byte(hex.EncodeToString(key[:]) + "\n")
	}
	// The sealing key goes last: its presence says that the ring is whole.
	for _, name := range [...]string{caKeyFile, caCertFile, pseudonymFile, auditFile, sealFile} {
		if err := writeNew(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// Open reads the ring in dir. It refuses files that anybody but their owner can
// read.
func Open(dir string) (*Ring, error) {
	var r Ring
	var seed [ed25519.SeedSize]byte
	for name, into := range map[string]*[32]byte{sealFile: &r.Seal, pseudonymFile: &r.Pseudonym, auditFile: &seed} {
		raw, err := readPrivate(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if n, err := hex.Decode(into[:], raw[:min(len(raw), 64)]); err != nil || n != len(into) {
			return nil, fmt.Errorf("keyring: %s is not a 256-bit key", name)
		}
	}
	r.Audit = ed25519.NewKeyFromSeed(seed[:])
	certPEM, err := readPrivate(filepath.Join(dir, caCertFile))
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPrivate(filepath.Join(dir, caKeyFile))
	if err != nil {
		return nil, err
	}
	r.Authority, err = decodeAuthority(certPEM, keyPEM)
	return &r, err
}

// Fingerprint is SHA-256 over the CA's certificate: what an enrolment code
// carries and an agent pins.
func (a *Authority) Fingerprint() [sha256.Size]byte { return sha256.Sum256(a.certificate.Raw) }

func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator's own key folder
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring: %s can be read by others than its owner (mode %v): chmod 600 it, and replace the keys if they may have been seen", path, info.Mode().Perm())
	}
	const limit = 64 << 10
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("keyring: %s is not a key file", path)
	}
	raw := make([]byte, info.Size())
	if _, err := f.ReadAt(raw, 0); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return raw, nil
}

func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- the operator's own key folder
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keyring: writing %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the operator's own key folder
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
