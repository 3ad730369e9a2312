package tpm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
)

// bench is one software TPM on the bench, opened.
type bench struct {
	soft *swtpm.TPM
	tpm  *TPM
}

// Making a TPM takes a second, so three are made when a test first asks, and
// each test runs a copy of one.
var (
	workshop  = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "menshen-tpm-") })
	firstTPM  = sync.OnceValues(func() ([]byte, error) { return manufacture("first", "sha256") })
	secondTPM = sync.OnceValues(func() ([]byte, error) { return manufacture("second", "sha256") })
	sha1TPM   = sync.OnceValues(func() ([]byte, error) { return manufacture("sha1", "sha1") })
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := workshop(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// stateFile is where a software TPM keeps what survives a power cut.
const stateFile = "tpm2-00.permall"

func manufacture(name, bank string) ([]byte, error) {
	dir, err := workshop()
	if err != nil {
		return nil, err
	}
	ca, err := swtpm.NewCA(filepath.Join(dir, "ca"))
	if err != nil {
		return nil, err
	}
	if err := ca.Manufacture(context.Background(), filepath.Join(dir, name), bank); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, name, stateFile))
}

func newBench(t *testing.T) bench { return benchOf(t, firstTPM) }

func benchOf(t *testing.T, made func() ([]byte, error)) bench {
	t.Helper()
	state, err := made()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), state, 0o600); err != nil {
		t.Fatal(err)
	}
	soft, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := soft.Stop(); err != nil {
			t.Error(err)
		}
	})
	opened, err := Open(soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{soft, opened}
}

func (b bench) keys(t *testing.T, template string) *Keys {
	t.Helper()
	blobs, err := b.tpm.CreateKeys(template, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := b.tpm.LoadKeys(blobs)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// leftovers lists what is loaded in the TPM.
func (b bench) leftovers(t *testing.T) (all []tpm2.TPMHandle) {
	t.Helper()
	b.tpm.mu.Lock()
	defer b.tpm.mu.Unlock()
	for _, first := range []uint32{firstHMACSession, firstPolicySession, firstTransient} {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(b.tpm.connection)
		if err != nil {
			t.Fatal(err)
		}
		handles, err := answer.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, handles.Handle...)
	}
	return all
}

func (b bench) evict(t *testing.T, persistent tpm2.TPMHandle) {
	t.Helper()
	found, err := tpm2.ReadPublic{ObjectHandle: persistent}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: persistent, Name: found.Name},
		PersistentHandle: persistent,
	}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) extend(t *testing.T, pcr tpm2.TPMHandle) {
	t.Helper()
	if err := extend(b.tpm.connection, pcr); err != nil {
		t.Fatal(err)
	}
}

func extend(connection transport.TPM, pcr tpm2.TPMHandle) error {
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: pcr, Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{
			HashAlg: tpm2.TPMAlgSHA256, Digest: bytes.Repeat([]byte{7}, sha256.Size),
		}}},
	}.Execute(connection)
	return err
}

func TestEKCertificatesAreReadByPreference(t *testing.T) {
	b := newBench(t)
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	if len(certificates) != 2 || certificates[0].Template != EKP384 || certificates[1].Template != EKRSA2048 {
		t.Fatalf("got %d certificates", len(certificates))
	}
	for _, c := range certificates {
		if _, err := x509.ParseCertificate(c.DER); err != nil {
			t.Errorf("%s: %v", c.Template, err)
		}
	}
}

// The EK that the agent makes is the one that its certificate names, whether it
// is found persistent or made again.
func TestEKMatchesItsCertificate(t *testing.T) {
	b := newBench(t)
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []bool{true, false} {
		for _, c := range certificates {
			kind, _ := ekKindNamed(c.Template)
			if !kept {
				b.evict(t, kind.persistent)
			}
			ek, err := b.tpm.openEK(kind)
			if err != nil {
				t.Fatal(err)
			}
			public, err := tpm2.Pub(ek.public)
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := x509.ParseCertificate(c.DER)
			if err != nil {
				t.Fatal(err)
			}
			if !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(certificate.PublicKey) {
				t.Errorf("%s, persistent %v: another key than the certificate's", c.Template, kept)
			}
			if kept != (ek.handle == kind.persistent) {
				t.Errorf("%s: handle %#x", c.Template, ek.handle)
			}
			ek.release()
		}
	}
}

// A foreign key at the EK's usual handle is not taken for the EK.
func TestForeignPersistentKeyIsNoEK(t *testing.T) {
	b := newBench(t)
	kind, _ := ekKindNamed(EKP256)
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(kind.template),
	}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
		PersistentHandle: 0x81000002,
	}.Execute(b.tpm.connection)); err != nil {
		t.Fatal(err)
	}
	b.tpm.flush(made.ObjectHandle)
	kind.persistent = 0x81000002 // an owner's key of the EK's own template
	if _, ok := b.tpm.persistentEK(kind); ok {
		t.Error("an owner-hierarchy key was taken for the EK")
	}
	kind.persistent = 0x81010001 // a true EK of another template
	if _, ok := b.tpm.persistentEK(kind); ok {
		t.Error("an RSA EK was taken for a P-256 one")
	}
}

func TestEachTemplateGivesWorkingKeys(t *testing.T) {
	b := newBench(t)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		t.Run(template, func(t *testing.T) {
			keys := b.keys(t, template)
			var nonce [wire.NonceSize]byte
			quote, values, err := keys.Quote(nonce, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if len(values) != len(wire.QuotedPCRs) || values[10].Index != 14 {
				t.Errorf("values %v", values)
			}
			attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](quote.Attest)
			if err != nil {
				t.Fatal(err)
			}
			binding := wire.QuoteBinding(nonce, []byte("{}"), keys.TLSSPKI())
			if !bytes.Equal(attest.ExtraData.Buffer, binding[:]) {
				t.Error("the quote is not bound to nonce, claims and TLS key")
			}
			for _, certify := range []func([32]byte) (wire.CertifiedKey, error){keys.CertifyTLSKey, keys.CertifySigningKey} {
				if _, err := certify(nonce); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if err := b.tpm.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(b.soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	b.tpm = again
	defer again.Close()
	if left := b.leftovers(t); len(left) != 0 {
		t.Errorf("left loaded: %x", left)
	}
}

func TestEKPublic(t *testing.T) {
	b := newBench(t)
	template, spki, err := b.tpm.EKPublic()
	if err != nil || template != EKP256 {
		t.Fatal(template, err)
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := ekKindNamed(EKP256)
	ek, err := b.tpm.openEK(kind)
	if err != nil {
		t.Fatal(err)
	}
	ek.release()
	public, err := tpm2.Pub(ek.public)
	if err != nil || !public.(*ecdsa.PublicKey).Equal(parsed) {
		t.Error("another key", err)
	}
}

func TestActivateAnswersTheChallenge(t *testing.T) {
	b := newBench(t)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		keys := b.keys(t, template)
		b.tpm.mu.Lock()
		ek, err := b.tpm.openEK(keys.kind)
		if err != nil {
			t.Fatal(err)
		}
		ek.release()
		b.tpm.mu.Unlock()
		encapsulation, err := tpm2.ImportEncapsulationKey(&ek.public)
		if err != nil {
			t.Fatal(err)
		}
		secret := []byte("0123456789abcdef0123456789abcdef")
		blob, encrypted, err := tpm2.CreateCredential(rand.Reader, encapsulation, keys.ak.name.Buffer, secret)
		if err != nil {
			t.Fatal(err)
		}
		released, err := keys.Activate(blob, encrypted)
		if err != nil || !bytes.Equal(released, secret) {
			t.Errorf("%s: %x, %v", template, released, err)
		}
		blob[len(blob)-1] ^= 1
		if _, err := keys.Activate(blob, encrypted); err == nil {
			t.Errorf("%s: a damaged challenge was answered", template)
		}
	}
}

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
			weak := signingTemplate(false)
			weak.ObjectAttributes.FixedTPM = false
			b.SigningKey.Public = tpm2.Marshal(weak)
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

// movingPCRs is a TPM whose PCR 14 somebody extends just before commands of one
// kind, a number of times.
type movingPCRs struct {
	transport.TPMCloser
	command tpm2.TPMCC
	skip    int
	times   int
}

func (m *movingPCRs) Send(command []byte) ([]byte, error) {
	if code := tpm2.TPMCC(uint32(command[6])<<24 | uint32(command[7])<<16 | uint32(command[8])<<8 | uint32(command[9])); code == m.command {
		if m.skip > 0 {
			m.skip--
		} else if m.times > 0 {
			m.times--
			if err := extend(m.TPMCloser, 14); err != nil {
				return nil, err
			}
		}
	}
	return m.TPMCloser.Send(command)
}

func TestPCRsThatMoveAreReadAgain(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	b.extend(t, 14)
	for name, moving := range map[string]movingPCRs{
		"between two reads":       {command: tpm2.TPMCCPCRRead, skip: 1, times: 1},
		"between read and quote":  {command: tpm2.TPMCCQuote, times: 2},
		"at every read":           {command: tpm2.TPMCCPCRRead, skip: 1, times: 1000},
		"before every quote":      {command: tpm2.TPMCCQuote, times: 1000},
		"between reads, at first": {command: tpm2.TPMCCPCRRead, times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			real := b.tpm.connection
			defer func() { b.tpm.connection = real }()
			moving.TPMCloser = real
			b.tpm.connection = &moving
			quote, values, err := keys.Quote([32]byte{}, nil)
			if moving.times > 500 {
				if !errors.Is(err, ErrBusy) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](quote.Attest)
			if err != nil {
				t.Fatal(err)
			}
			info, err := attest.Attested.Quote()
			if err != nil || !bytes.Equal(info.PCRDigest.Buffer, pcrDigest(values)) {
				t.Error("the values are not those quoted")
			}
		})
	}
}

func TestInactiveBankIsSaid(t *testing.T) {
	b := benchOf(t, sha1TPM)
	keys := b.keys(t, EKP256)
	if _, err := b.tpm.PCRs(); !errors.Is(err, ErrNoBank) {
		t.Error(err)
	}
	if _, _, err := keys.Quote([32]byte{}, nil); !errors.Is(err, ErrNoBank) {
		t.Error(err)
	}
}

// busyTPM asks for every command again.
type busyTPM struct {
	transport.TPMCloser
	busy int
}

func (b *busyTPM) Send(command []byte) ([]byte, error) {
	if b.busy > 0 {
		b.busy--
		return []byte{0x80, 1, 0, 0, 0, 10, 0, 0, 0x09, 0x22}, nil // TPM_RC_RETRY
	}
	return b.TPMCloser.Send(command)
}

func TestBusyTPM(t *testing.T) {
	b := newBench(t)
	real := b.tpm.connection
	defer func() { b.tpm.connection = real }()
	var slept time.Duration
	sleep := func(d time.Duration) { slept += d }
	b.tpm.connection = &retrying{TPMCloser: &busyTPM{real, 3}, sleep: sleep}
	if _, err := b.tpm.PCRs(); err != nil {
		t.Error(err)
	}
	if slept != 210*time.Millisecond {
		t.Errorf("slept %v", slept)
	}
	b.tpm.connection = &retrying{TPMCloser: &busyTPM{real, 1 << 20}, sleep: sleep}
	if _, err := b.tpm.PCRs(); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestWhyATPMDoesNotOpen(t *testing.T) {
	for cause, want := range map[error]error{
		syscall.EBUSY: ErrBusy, syscall.ENOENT: ErrNotFound, syscall.EACCES: ErrNotFound, syscall.ENODEV: ErrNotFound,
	} {
		err := notOpened("/dev/tpmrm0", &fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: cause})
		if !errors.Is(err, want) || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
		if cause == syscall.EACCES && !strings.Contains(err.Error(), "group") {
			t.Errorf("no hint at the group: %v", err)
		}
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // answers nothing, as no TPM does
		}
	}()
	for _, device := range []string{"/nonexistent/tpmrm0", "unix:/nonexistent", plain, "unix:" + plain, "/dev/null", "unix:" + listener.Addr().String()} {
		if _, err := Open(device); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", device, err)
		}
	}
}

func TestClosed(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	for range 2 {
		if err := b.tpm.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err1 := b.tpm.EKCertificates()
	_, err2 := b.tpm.CreateKeys(EKP256, rand.Reader)
	_, err3 := b.tpm.PCRs()
	_, _, err4 := keys.Quote([32]byte{}, nil)
	for _, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

// A crashed agent leaves sessions and objects behind; the next start has room.
func TestOpenClearsAwayWhatACrashLeft(t *testing.T) {
	b := newBench(t)
	for range slots {
		if _, err := (tpm2.CreatePrimary{
			PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			InPublic:      tpm2.New2B(signingTemplate(true)),
		}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tpm2.HMACSession(b.tpm.connection, tpm2.TPMAlgSHA256, nonceSize); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(b.soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if left := b.leftovers(t); len(left) != 0 {
		t.Errorf("left loaded: %x", left)
	}
}

func TestTLS13WithTheTPMsKey(t *testing.T) {
	b := newBench(t)
	signer := b.keys(t, EKP256).TLSSigner()
	if _, err := signer.Sign(nil, make([]byte, 48), crypto.SHA384); !errors.Is(err, errDigest) {
		t.Error(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer}
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
		done <- conn.HandshakeContext(t.Context())
	}()
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	conn := tls.Client(client, &tls.Config{
		InsecureSkipVerify: true, // #nosec G402 -- the key is compared below
		MinVersion:         tls.VersionTLS13,
	})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !conn.ConnectionState().PeerCertificates[0].Equal(leaf) {
		t.Error("another certificate")
	}
}

func TestEventLog(t *testing.T) {
	dir := t.TempDir()
	if log, err := EventLog(filepath.Join(dir, "absent")); log != nil || err != nil {
		t.Errorf("absent: %v, %v", log, err)
	}
	path := filepath.Join(dir, "log")
	for size, fits := range map[int]bool{0: true, 10: true, wire.MaxEventLogBytes: true, wire.MaxEventLogBytes + 1: false} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := EventLog(path)
		if fits != (err == nil) || (fits && len(log) != size) {
			t.Errorf("%d bytes: %d, %v", size, len(log), err)
		}
	}
	if _, err := EventLog(dir); err == nil {
		t.Error("a directory was read")
	}
}

func TestTrimPadding(t *testing.T) {
	long := append([]byte{0x30, 0x82, 1, 2}, make([]byte, 258)...)
	for name, c := range map[string]struct{ raw, want []byte }{
		"short form":   {[]byte{0x30, 2, 1, 2, 0xff, 0xff}, []byte{0x30, 2, 1, 2}},
		"one byte":     {append([]byte{0x30, 0x81, 128}, make([]byte, 140)...), append([]byte{0x30, 0x81, 128}, make([]byte, 128)...)},
		"two bytes":    {append(bytes.Clone(long), 0, 0), long},
		"cut off":      {long[:200], nil},
		"empty":        {nil, nil},
		"blank":        {bytes.Repeat([]byte{0xff}, 20), nil},
		"not sequence": {[]byte{0x31, 2, 1, 2}, nil},
		"indefinite":   {[]byte{0x30, 0x80, 0, 0}, nil},
	} {
		if got := trimPadding(c.raw); !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x", name, got)
		}
	}
}
