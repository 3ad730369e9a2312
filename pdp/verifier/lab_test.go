package verifier_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// The tests of this package attack with real TPMs. They drive them by go-tpm
// directly, not by the agent's package: an attacker's agent does what it likes.

// noon is tomorrow's: the laboratory's TPMs are made when the tests run, and their
// certificates begin then.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)

// bench is one machine with a software TPM on it.
type bench struct {
	ca  *swtpm.CA
	dir string
	tpm transport.TPMCloser
	run *swtpm.TPM
}

// Machines are made when a test first asks, because making one takes a second,
// and serve all tests; a test leaves nothing loaded. TestMain clears away.
var (
	workshop  = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "menshen-verifier-") })
	authority = sync.OnceValues(func() (*swtpm.CA, error) {
		dir, err := workshop()
		if err != nil {
			return nil, err
		}
		return swtpm.NewCA(filepath.Join(dir, "ca"))
	})
	first  = sync.OnceValues(func() (*bench, error) { return manufacture("first") })
	second = sync.OnceValues(func() (*bench, error) { return manufacture("second") })
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := workshop(); err == nil {
		_ = os.RemoveAll(dir) // the TPMs end with this process
	}
	os.Exit(code)
}

func manufacture(name string) (*bench, error) {
	ca, err := authority()
	if err != nil {
		return nil, err
	}
	dir, err := workshop()
	if err != nil {
		return nil, err
	}
	b := &bench{ca: ca, dir: filepath.Join(dir, name)}
	if err := ca.Manufacture(context.Background(), b.dir); err != nil {
		return nil, err
	}
	if b.run, err = swtpm.Start(context.Background(), b.dir); err != nil {
		return nil, err
	}
	b.tpm, err = linuxudstpm.Open(b.run.Socket())
	return b, err
}

func machine(t testing.TB, which func() (*bench, error)) *bench {
	t.Helper()
	b, err := which()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) endorser(t testing.TB) *verifier.Endorser {
	t.Helper()
	roots, intermediates, err := b.ca.Pools()
	if err != nil {
		t.Fatal(err)
	}
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// certificate reads the TPM's P-384 or RSA EK certificate from NV.
func (b *bench) certificate(t testing.TB, index tpm2.TPMHandle) []byte {
	t.Helper()
	about, err := tpm2.NVReadPublic{NVIndex: index}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	public, err := about.NVPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	var der []byte
	for len(der) < int(public.DataSize) {
		part, err := tpm2.NVRead{
			AuthHandle: tpm2.AuthHandle{Handle: index, Name: about.NVName, Auth: tpm2.PasswordAuth(nil)},
			NVIndex:    tpm2.NamedHandle{Handle: index, Name: about.NVName},
			Size:       min(512, public.DataSize-uint16(len(der))), Offset: uint16(len(der)),
		}.Execute(b.tpm)
		if err != nil {
			t.Fatal(err)
		}
		der = append(der, part.Data.Buffer...)
	}
	return der
}

const (
	rsaCertificate  = 0x01c00002
	p384Certificate = 0x01c00016
	rsaEK           = 0x81010001
	p384EK          = 0x81010016
)

// object is something loaded in a TPM.
type object struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public []byte // TPMT_PUBLIC
	parent tpm2.Session
}

func (o object) auth() tpm2.AuthHandle {
	session := o.parent
	if session == nil {
		session = tpm2.PasswordAuth(nil)
	}
	return tpm2.AuthHandle{Handle: o.handle, Name: o.name, Auth: session}
}

// persistentEK is one of the EKs that the maker made.
func (b *bench) persistentEK(t testing.TB, handle tpm2.TPMHandle) object {
	t.Helper()
	found, err := tpm2.ReadPublic{ObjectHandle: handle}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	ek := object{handle: handle, name: found.Name, public: found.OutPublic.Bytes()}
	if handle == rsaEK { // its template wants the endorsement policy
		ek.parent = tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(t transport.TPM, session tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
			_, err := tpm2.PolicySecret{
				AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
				PolicySession: session, NonceTPM: nonce,
			}.Execute(t)
			return err
		})
	}
	return ek
}

// primary makes a primary object that is flushed when the test ends.
func (b *bench) primary(t testing.TB, hierarchy tpm2.TPMHandle, template tpm2.TPMTPublic) object {
	t.Helper()
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: hierarchy, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(template),
	}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.flush(made.ObjectHandle) })
	return object{handle: made.ObjectHandle, name: made.Name, public: made.OutPublic.Bytes()}
}

func (b *bench) flush(handle tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: handle}.Execute(b.tpm)
}

// child makes a key under parent and loads it.
func (b *bench) child(t testing.TB, parent object, template tpm2.TPMTPublic) object {
	t.Helper()
	made, err := tpm2.Create{ParentHandle: parent.auth(), InPublic: tpm2.New2B(template)}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tpm2.Load{ParentHandle: parent.auth(), InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.flush(loaded.ObjectHandle) })
	return object{handle: loaded.ObjectHandle, name: loaded.Name, public: made.OutPublic.Bytes()}
}

// signing is the template of an honest AK or device key, changed by change.
func signing(restricted bool, change ...func(*tpm2.TPMTPublic)) tpm2.TPMTPublic {
	template := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true,
			Restricted: restricted, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
	for _, f := range change {
		f(&template)
	}
	return template
}

// device is an enrolled device with its AK still loaded.
type device struct {
	*bench
	ek     object
	ak     object
	record wire.Device
}

// enrolled makes a device whose AK is a child of the P-384 EK, as an honest
// agent does, and pins it as an honest PDP does.
func enrolled(t testing.TB, b *bench) *device {
	t.Helper()
	ek := b.persistentEK(t, p384EK)
	return pin(t, b, ek, b.child(t, ek, signing(true)))
}

// pin makes the record of a device with that AK, whatever it is worth.
func pin(t testing.TB, b *bench, ek, ak object) *device {
	t.Helper()
	key, err := b.endorser(t).Endorse(b.certificate(t, p384Certificate), nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	qualified, err := key.QualifiedName(ak.public)
	if err != nil {
		t.Fatal(err)
	}
	tlsSPKI := sha256.Sum256([]byte("the TLS key of " + b.dir))
	return &device{bench: b, ek: ek, ak: ak, record: wire.Device{
		ID: "dev-1", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		AK: ak.public, AKQualifiedName: qualified, TLSSPKI: tlsSPKI[:],
	}}
}

// selectPCRs selects PCRs of one bank.
func selectPCRs(bank tpm2.TPMAlgID, pcrs ...uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: bank, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}}}
}

func quotedPCRs() []uint {
	var all []uint
	for _, index := range wire.QuotedPCRs {
		all = append(all, uint(index))
	}
	return all
}

// quote has the AK quote what is asked.
func (d *device) quote(t testing.TB, extra []byte, selection tpm2.TPMLPCRSelection) wire.Quote {
	t.Helper()
	answer, err := tpm2.Quote{
		SignHandle: d.ak.auth(), QualifyingData: tpm2.TPM2BData{Buffer: extra},
		InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, PCRSelect: selection,
	}.Execute(d.tpm)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Quote{Attest: answer.Quoted.Bytes(), Signature: tpm2.Marshal(answer.Signature)}
}

func (d *device) pcrs(t testing.TB) []wire.PCRValue {
	t.Helper()
	var values []wire.PCRValue
	for _, index := range wire.QuotedPCRs {
		answer, err := tpm2.PCRRead{PCRSelectionIn: selectPCRs(tpm2.TPMAlgSHA256, uint(index))}.Execute(d.tpm)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, wire.PCRValue{Index: index, Digest: answer.PCRValues.Digests[0].Buffer})
	}
	return values
}

func (d *device) extend(t testing.TB, pcr tpm2.TPMHandle) {
	t.Helper()
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: pcr, Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: make([]byte, 32)}}},
	}.Execute(d.tpm)
	if err != nil {
		t.Fatal(err)
	}
}

// signRaw has an unrestricted key sign a digest: what a restricted one refuses.
func (b *bench) signRaw(key object, digest [sha256.Size]byte) ([]byte, error) {
	answer, err := tpm2.Sign{
		KeyHandle: key.auth(), Digest: tpm2.TPM2BDigest{Buffer: digest[:]},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(b.tpm)
	if err != nil {
		return nil, err
	}
	return tpm2.Marshal(answer.Signature), nil
}

// noBoot is what is told of a machine without an event log whose agency has no
// reference values.
const noBoot = "missing/" + reason.EventLogAbsent + " missing/" + reason.BootUnreferenced + " "

// goodClaims pass everything.
func goodClaims(t testing.TB, change ...func(map[wire.ClaimID]*wire.Claim)) []byte {
	t.Helper()
	all := map[wire.ClaimID]*wire.Claim{}
	for _, id := range append(verifier.DefaultRequired(), wire.ClaimAutoUpdates, wire.ClaimAdministrators, wire.ClaimKernelLockdown, wire.ClaimUSBStorage) {
		all[id] = &wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: noon, Source: "test"}
	}
	all[wire.ClaimOSRelease].Value = map[string]string{"id": "debian", "version_id": "13"}
	for _, f := range change {
		f(all)
	}
	var document wire.Claims
	for _, id := range slices.Sorted(maps.Keys(all)) {
		document.Claims = append(document.Claims, *all[id])
	}
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// input is an honest appraisal of d.
func (d *device) input(t testing.TB, claims []byte) verifier.Input {
	t.Helper()
	nonce := sha256.Sum256([]byte("nonce"))
	binding := wire.QuoteBinding(nonce, claims, [32]byte(d.record.TLSSPKI))
	return verifier.Input{
		Evidence: wire.Evidence{
			Claims: claims, Quote: d.quote(t, binding[:], selectPCRs(tpm2.TPMAlgSHA256, quotedPCRs()...)), PCRs: d.pcrs(t),
		},
		Device: d.record, Nonce: nonce,
		Rules:    verifier.Rules{Policy: verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}, {ID: "rhel", Version: "9"}}}},
		IssuedAt: noon, Now: noon.Add(2 * time.Second), ValidFor: 15 * time.Minute,
	}
}

// certified has the AK certify a key for extra.
func (d *device) certified(t testing.TB, key object, extra []byte) wire.CertifiedKey {
	t.Helper()
	answer, err := tpm2.Certify{
		ObjectHandle: key.auth(), SignHandle: d.ak.auth(), QualifyingData: tpm2.TPM2BData{Buffer: extra},
		InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
	}.Execute(d.tpm)
	if err != nil {
		t.Fatal(err)
	}
	return wire.CertifiedKey{Public: key.public, Attest: answer.CertifyInfo.Bytes(), Signature: tpm2.Marshal(answer.Signature)}
}

// spki is SHA-256 over a key's SubjectPublicKeyInfo.
func spki(t testing.TB, public []byte) [sha256.Size]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(ecdsaKey(t, public))
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(der)
}

func ecdsaKey(t testing.TB, public []byte) *ecdsa.PublicKey {
	t.Helper()
	area, err := tpm2.Unmarshal[tpm2.TPMTPublic](public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tpm2.Pub(*area)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

func codes(r wire.Appraised) string {
	var b bytes.Buffer
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s/%s ", f.Type, f.Reason.Code)
	}
	return b.String()
}
