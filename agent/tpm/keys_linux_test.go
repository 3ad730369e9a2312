package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

func TestAllKeysInTurnAfterTPMReset(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	digest := sha256.Sum256([]byte("x"))
	sign := func(s crypto.Signer) {
		t.Helper()
		signature, err := s.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), digest[:], signature) {
			t.Error("the signature is wrong")
		}
	}
	for range 2 {
		sign(keys.TLSSigner())
		sign(keys.Signer())
		if _, _, err := keys.Quote([32]byte{}, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.soft.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Somebody else empties the TPM and fills the slots: the handles now name other
// objects, and the keys must be loaded again.
func TestForeignObjectInOurSlot(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	b.tpm.mu.Lock()
	for _, handle := range b.tpm.loaded {
		b.tpm.flush(handle)
	}
	for range slots {
		if _, err := (tpm2.CreatePrimary{
			PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			InPublic:      tpm2.New2B(signingTemplate(true)),
		}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
	}
	b.tpm.mu.Unlock()
	if _, _, err := keys.Quote([32]byte{}, nil); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP384)
	digest := sha256.Sum256([]byte("x"))
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			if _, err := keys.TLSSigner().Sign(nil, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
			if _, _, err := keys.Quote([32]byte{}, nil); err != nil {
				t.Error(err)
			}
			if _, err := b.tpm.PCRs(); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
}

func TestKeysNeedTheirAuthorizationValue(t *testing.T) {
	b := newBench(t)
	blobs, err := b.tpm.CreateKeys(EKP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	blobs.AK.Auth = bytes.Repeat([]byte{1}, authSize)
	keys, err := b.tpm.LoadKeys(blobs)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keys.Quote([32]byte{}, nil); !errors.Is(err, tpm2.TPMRCBadAuth) {
		t.Errorf("quoted without the authorization value: %v", err)
	}
}

// Zeros in an authorization value once made a key that never authorizes.
func TestAuthorizationValuesHoldNoZero(t *testing.T) {
	random := io.MultiReader(bytes.NewReader(make([]byte, 31)), bytes.NewReader([]byte{9}), rand.Reader)
	auth, err := newAuth(random)
	if err != nil || len(auth) != authSize || bytes.IndexByte(auth, 0) >= 0 || auth[0] != 9 {
		t.Errorf("%x, %v", auth, err)
	}
}

func TestReplacedTPM(t *testing.T) {
	first, second := newBench(t), benchOf(t, secondTPM)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		blobs, err := first.tpm.CreateKeys(template, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := second.tpm.LoadKeys(blobs); !errors.Is(err, ErrReplaced) {
			t.Errorf("%s: %v", template, err)
		}
	}
}

// TPM2_Clear leaves the EK and its certificates, and takes all keys under it.
func TestClearedTPM(t *testing.T) {
	b := newBench(t)
	before := map[string]Blobs{}
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		blobs, err := b.tpm.CreateKeys(template, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		before[template] = blobs
	}
	running, err := b.tpm.LoadKeys(before[EKP256])
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	lockout := tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}
	if _, err := (tpm2.Clear{AuthHandle: lockout}.Execute(b.tpm.connection)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := running.Quote([32]byte{}, nil); !errors.Is(err, ErrCleared) {
		t.Errorf("an agent that runs: %v", err)
	}
	for template, blobs := range before {
		if _, err := b.tpm.LoadKeys(blobs); !errors.Is(err, ErrCleared) || errors.Is(err, ErrReplaced) {
			t.Errorf("%s: %v", template, err)
		}
		blobs.EKDigest = nil // a state of before the digest was kept
		if _, err := b.tpm.LoadKeys(blobs); !errors.Is(err, ErrReplaced) {
			t.Errorf("%s, EK not known: %v", template, err)
		}
		again, err := b.tpm.CreateKeys(template, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.EKDigest, before[template].EKDigest) {
			t.Errorf("%s: the EK is another", template)
		}
		if _, err := b.tpm.LoadKeys(again); err != nil {
			t.Errorf("%s, enrolled again: %v", template, err)
		}
	}
	if after, err := b.tpm.EKCertificates(); err != nil || len(after) != len(certificates) {
		t.Errorf("%d certificates are left, %v", len(after), err)
	}
}

// Somebody else in the TPM's group finds the agent's keys loaded, tries them
// without their secrets, and cannot lock the agent out by trying.
func TestAnotherUserOfTheTPM(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	property := func(wanted tpm2.TPMPT) uint32 {
		t.Helper()
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(wanted), PropertyCount: 1}.Execute(b.tpm.connection)
		if err != nil {
			t.Fatal(err)
		}
		properties, err := answer.CapabilityData.Data.TPMProperties()
		if err != nil || len(properties.TPMProperty) != 1 || properties.TPMProperty[0].Property != wanted {
			t.Fatal(properties, err)
		}
		return properties.TPMProperty[0].Value
	}
	b.tpm.mu.Lock()
	digest := sha256.Sum256([]byte("forged"))
	for k, handle := range b.tpm.loaded {
		for _, guess := range []tpm2.Session{
			tpm2.PasswordAuth(nil), tpm2.PasswordAuth([]byte("guess")),
			tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth([]byte("guess"))),
		} {
			for range property(tpm2.TPMPTMaxAuthFail) + 3 {
				_, err := tpm2.Sign{
					KeyHandle:  tpm2.AuthHandle{Handle: handle, Name: k.name, Auth: guess},
					Digest:     tpm2.TPM2BDigest{Buffer: digest[:]},
					Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
				}.Execute(b.tpm.connection)
				if !errors.Is(err, tpm2.TPMRCBadAuth) { // AUTH_FAIL would count towards the lockout
					t.Fatalf("signed with a guess, or counted: %v", err)
				}
			}
		}
	}
	b.tpm.mu.Unlock()
	if n := property(tpm2.TPMPTLockoutCounter); n != 0 {
		t.Errorf("%d failures count towards the lockout", n)
	}
	if _, _, err := keys.Quote([32]byte{}, nil); err != nil {
		t.Errorf("the agent is locked out: %v", err)
	}
	digest = sha256.Sum256([]byte("handshake"))
	if _, err := keys.TLSSigner().Sign(nil, digest[:], crypto.SHA256); err != nil {
		t.Errorf("the agent is locked out: %v", err)
	}
}

func TestDamagedBlobs(t *testing.T) {
	b := newBench(t)
	blobs, err := b.tpm.CreateKeys(EKP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(*Blobs){
		"no template":      func(b *Blobs) { b.EK = "" },
		"no public":        func(b *Blobs) { b.AK.Public = nil },
		"trailing public":  func(b *Blobs) { b.AK.Public = append(bytes.Clone(b.AK.Public), 0) },
		"no private":       func(b *Blobs) { b.TLSKey.Private = nil },
		"short auth":       func(b *Blobs) { b.TLSKey.Auth = b.TLSKey.Auth[1:] },
		"keys interchange": func(b *Blobs) { b.AK, b.TLSKey = b.TLSKey, b.AK },
		"other template":   func(b *Blobs) { b.SigningKey.Public = tpm2.Marshal(tpm2.ECCSRKTemplate) },
		"importable": func(b *Blobs) {
			const attributesEnd, fixedTPM = 7, 1 << 1
			b.SigningKey.Public = bytes.Clone(b.SigningKey.Public)
			b.SigningKey.Public[attributesEnd] &^= fixedTPM
		},
		"point off curve": func(b *Blobs) {
			b.TLSKey.Public = bytes.Clone(b.TLSKey.Public)
			b.TLSKey.Public[len(b.TLSKey.Public)-1] ^= 1
		},
	} {
		damaged := blobs
		damage(&damaged)
		if _, err := b.tpm.LoadKeys(damaged); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.tpm.CreateKeys("p-521", rand.Reader); err == nil {
		t.Error("an unknown template was taken")
	}
	if _, err := b.tpm.CreateKeys(EKP256, bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("keys without randomness: %v", err)
	}
}

func TestBlobsSurviveTheFileAndStayOutOfLogs(t *testing.T) {
	b := newBench(t)
	blobs, err := b.tpm.CreateKeys(EKP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(blobs)
	if err != nil {
		t.Fatal(err)
	}
	var read Blobs
	if err := json.Unmarshal(file, &read); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tpm.LoadKeys(read); err != nil {
		t.Error(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "blobs", blobs, "blob", blobs.AK)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&logged, verb+" "+verb+" "+verb+"\n", blobs, blobs.AK, &blobs)
	}
	for _, secret := range [][]byte{blobs.AK.Auth, blobs.TLSKey.Auth} {
		start := secret[:6]
		for _, form := range []string{string(start), fmt.Sprintf("%x", start), strings.Trim(fmt.Sprint(start), "[]"), fmt.Sprintf("%#v", start)[7:30]} {
			if strings.Contains(logged.String(), form) {
				t.Error("a secret was logged")
			}
		}
	}
}
