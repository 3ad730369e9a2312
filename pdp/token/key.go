package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var (
	// ErrExposed is returned for a key file or folder that others may read.
	ErrExposed = errors.New("token: signing keys are readable by others")
	// ErrNoKeys is returned for an agency that has no keys.
	ErrNoKeys = errors.New("token: no keys of this agency")
	// ErrTooSoon is returned by Rotate while the last rotation is still young.
	ErrTooSoon = errors.New("token: rotated only a moment ago")

	errAgency = errors.New("token: not the id of an agency")
	errKey    = errors.New("token: not a signing key of this kind")
	agencyID  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
)

// suite is what one kind of key is for: access tokens, or security events.
type suite struct {
	state     string // the file that says which key has which role
	typ       jose.ContentType
	algorithm jose.SignatureAlgorithm
	draw      func() (crypto.Signer, error)
	fits      func(crypto.Signer) bool
}

const (
	stateFile    = "state.json"
	setStateFile = "set-state.json"
	// setBits is above the least that the CAEP interoperability profile asks for.
	setBits = 3072
)

// accessTokens are signed with ES256 (RFC 9068, 2.1, names their type).
func accessTokens() *suite {
	return &suite{state: stateFile, typ: "at+jwt", algorithm: jose.ES256,
		draw: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		fits: func(k crypto.Signer) bool {
			key, ok := k.(*ecdsa.PrivateKey)
			return ok && key.Curve == elliptic.P256()
		}}
}

// securityEvents are signed with RS256 and a key of 2048 bits or more (CAEP
// Interoperability Profile 1.0, 2.7; SSF 1.0, 4.1.4, names their type).
func securityEvents() *suite {
	return &suite{state: setStateFile, typ: "secevent+jwt", algorithm: jose.RS256,
		draw: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, setBits) },
		fits: func(k crypto.Signer) bool {
			key, ok := k.(*rsa.PrivateKey)
			return ok && key.N.BitLen() >= setBits
		}}
}

// state says which key has which role. It names files, it holds no secret.
type state struct {
	V        int    `json:"v"`
	Previous string `json:"previous,omitempty"`
	Current  string `json:"current"`
	Next     string `json:"next"`
	// Since is when Current began to sign.
	Since time.Time `json:"since"`
}

// ring is one agency's keys in memory. It does not change.
type ring struct {
	state  state
	signer jose.Signer
	public jose.JSONWebKeySet
}

// folder is the folder of all agencies' keys.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	f := &folder{root: root}
	if err := f.private("."); err != nil {
		_ = root.Close()
		return nil, err
	}
	return f, nil
}

// private refuses what group or others may touch.
func (f *folder) private(name string) error {
	info, err := f.root.Lstat(name)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("token: %s: %w", name, errKey)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o", ErrExposed, name, info.Mode().Perm())
	}
	return nil
}

// load reads an agency's keys of a suite, or ErrNoKeys.
func (f *folder) load(agency string, of *suite) (*ring, error) {
	raw, err := f.root.ReadFile(path.Join(agency, of.state))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKeys
	}
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	r := &ring{}
	if err := json.Unmarshal(raw, &r.state); err != nil {
		return nil, fmt.Errorf("token: %s of %s: %w", of.state, agency, err)
	}
	if r.state.V != 1 || r.state.Current == "" || r.state.Next == "" {
		return nil, fmt.Errorf("token: %s of %s: not of version 1 or not whole", of.state, agency)
	}
	if err := f.private(agency); err != nil {
		return nil, err
	}
	for _, id := range []string{r.state.Current, r.state.Next, r.state.Previous} {
		if id == "" && r.state.Previous == "" {
			continue
		}
		key, err := f.read(agency, id, of)
		if err != nil {
			return nil, err
		}
		r.public.Keys = append(r.public.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: string(of.algorithm), Use: "sig"})
		if id != r.state.Current {
			continue
		}
		options := (&jose.SignerOptions{}).WithType(of.typ)
		r.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: of.algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, options)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
	return r, nil
}

func keyFile(agency, id string) string { return path.Join(agency, id+".pem") }

func (f *folder) read(agency, id string, of *suite) (crypto.Signer, error) {
	name := keyFile(agency, id)
	if err := f.private(name); err != nil {
		return nil, err
	}
	raw, err := f.root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, fmt.Errorf("%w: %s", errKey, name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("token: %s: %w", name, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok || !of.fits(key) {
		return nil, fmt.Errorf("%w: %s", errKey, name)
	}
	if thumb, err := thumbprint(key); err != nil || thumb != id {
		return nil, fmt.Errorf("%w: %s holds another key", errKey, name)
	}
	return key, nil
}

// draw makes a new key file and returns the key's id.
func (f *folder) draw(agency string, of *suite) (string, error) {
	key, err := of.draw()
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	id, err := thumbprint(key)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return id, f.write(keyFile(agency, id), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// settle makes s the agency's state of a suite.
func (f *folder) settle(agency string, of *suite, s state) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return f.write(path.Join(agency, of.state), raw)
}

// write replaces a file whole: it is on disk before its name points to it.
func (f *folder) write(name string, content []byte) error {
	err := f.writeNew(name+".new", content)
	if err == nil {
		err = f.root.Rename(name+".new", name)
	}
	if err == nil {
		err = f.sync(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("token: writing %s: %w", name, err)
	}
	return nil
}

func (f *folder) writeNew(name string, content []byte) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (f *folder) sync(name string) error {
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
