package verifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// fileDevice is a machine without a TPM.
type fileDevice struct {
	key    *ecdsa.PrivateKey
	record wire.Device
}

func newFileDevice(t testing.TB) *fileDevice {
	t.Helper()
	key, spki := p256(t)
	tls := sha256.Sum256([]byte("tls"))
	return &fileDevice{key, wire.Device{
		ID: "dev-1", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceSoftware, AK: spki, TLSSPKI: tls[:],
	}}
}

func p256(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, marshalled(t, &key.PublicKey)
}

func marshalled(t testing.TB, key any) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func sign(t testing.TB, key *ecdsa.PrivateKey, digest [32]byte) []byte {
	t.Helper()
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// input is an honest appraisal with that counter.
func (d *fileDevice) input(t testing.TB, counter uint64, claims []byte) verifier.Input {
	t.Helper()
	nonce := sha256.Sum256([]byte("nonce"))
	binding := wire.SoftwareBinding(nonce, claims, [32]byte(d.record.TLSSPKI), counter)
	return verifier.Input{
		Evidence: wire.Evidence{Claims: claims, Software: &wire.SoftwareProof{Counter: counter, Signature: sign(t, d.key, binding)}},
		Device:   d.record, Nonce: nonce,
		Rules:    verifier.Rules{Version: "1", Policy: verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}}}},
		IssuedAt: noon, Now: noon.Add(2 * time.Second), ValidFor: 15 * time.Minute,
	}
}

func TestASoftwareProofProvesTheKeyAndNothingOfTheMachine(t *testing.T) {
	d := newFileDevice(t)
	r := verifier.Appraise(d.input(t, 1, goodClaims(t)))
	want := wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.TrustNone, Executables: wire.TrustNone, Configuration: wire.Warning}
	if r.Vector != want || len(r.Claims) != 12 || codes(r) != "unsupported/"+reason.SoftwareKeys+" " || r.Clock != (wire.TPMClock{Clock: 1}) {
		t.Errorf("%+v %s", r, codes(r))
	}
	// Claims that fail make it worse, as everywhere.
	fails := goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) { all[wire.ClaimFirewall].State = wire.ClaimFail })
	if r := verifier.Appraise(d.input(t, 1, fails)); r.Vector.Configuration == wire.Affirming || len(r.Findings) < 2 {
		t.Errorf("%+v", r)
	}
	// An unchanged report is judged the same and carries the new counter.
	in := d.input(t, 2, goodClaims(t))
	in.Previous, in.Last, in.Rests = &wire.TPMClock{Clock: 1}, &r.AttestationResult, r.Rests
	if again := verifier.Appraise(in); again.Vector != want || again.Clock.Clock != 2 || codes(again) != codes(r) {
		t.Errorf("again: %+v", again)
	}
}

func TestForgedSoftwareProofs(t *testing.T) {
	d, claims := newFileDevice(t), goodClaims(t)
	other, _ := p256(t)
	for name, c := range map[string]struct {
		spoil func(*verifier.Input)
		code  string
	}{
		"another key": {func(in *verifier.Input) {
			in.Evidence.Software.Signature = sign(t, other, wire.SoftwareBinding(in.Nonce, claims, [32]byte(d.record.TLSSPKI), 7))
		}, reason.SoftwareProofBad},
		"another nonce":      {func(in *verifier.Input) { in.Nonce[0] ^= 1 }, reason.SoftwareProofBad},
		"other claims":       {func(in *verifier.Input) { in.Evidence.Claims = append(bytes.Clone(claims), ' ') }, reason.SoftwareProofBad},
		"another connection": {func(in *verifier.Input) { in.Device.TLSSPKI = bytes.Repeat([]byte{9}, 32) }, reason.SoftwareProofBad},
		"another counter":    {func(in *verifier.Input) { in.Evidence.Software.Counter++ }, reason.SoftwareProofBad},
		"no signature":       {func(in *verifier.Input) { in.Evidence.Software.Signature = nil }, reason.SoftwareProofBad},
		"a long signature": {func(in *verifier.Input) {
			in.Evidence.Software.Signature = append(in.Evidence.Software.Signature, make([]byte, 72)...)
		}, reason.SoftwareProofBad},
		"no proof":                {func(in *verifier.Input) { in.Evidence.Software = nil }, reason.SoftwareMissing},
		"a quote beside it":       {func(in *verifier.Input) { in.Evidence.Quote.Attest = []byte{1} }, reason.QuoteForSoftware},
		"a signature beside it":   {func(in *verifier.Input) { in.Evidence.Quote.Signature = []byte{1} }, reason.QuoteForSoftware},
		"PCRs beside it":          {func(in *verifier.Input) { in.Evidence.PCRs = []wire.PCRValue{{}} }, reason.QuoteForSoftware},
		"an event log beside it":  {func(in *verifier.Input) { in.Evidence.EventLog = []byte{1} }, reason.QuoteForSoftware},
		"a log's digest":          {func(in *verifier.Input) { in.Evidence.EventLogDigest = make([]byte, 32) }, reason.QuoteForSoftware},
		"an IMA list beside it":   {func(in *verifier.Input) { in.Evidence.IMA = &wire.IMAPiece{} }, reason.QuoteForSoftware},
		"a quote in its place":    {func(in *verifier.Input) { in.Evidence.Software, in.Evidence.Quote.Attest = nil, []byte{1} }, reason.QuoteForSoftware},
		"too many bytes of claim": {func(in *verifier.Input) { in.Evidence.Claims = make([]byte, wire.MaxClaimsBytes+1) }, reason.EvidenceMalformed},
	} {
		in := d.input(t, 7, claims)
		c.spoil(&in)
		refused(t, name, verifier.Appraise(in), c.code)
	}
}

func TestAnUnpinnedSoftwareKeyProvesNothing(t *testing.T) {
	d := newFileDevice(t)
	for name, spoil := range map[string]func(*wire.Device){
		"no key":     func(d *wire.Device) { d.AK = nil },
		"a TPM's":    func(d *wire.Device) { d.AK = []byte{0, 0x23} },
		"no channel": func(d *wire.Device) { d.TLSSPKI = nil },
		"of the Enclave, which has no verifier yet": func(d *wire.Device) { d.Provenance = wire.ProvenanceSecureEnclave },
	} {
		in := d.input(t, 1, goodClaims(t))
		spoil(&in.Device)
		if r := verifier.Appraise(in); affirms(r) || len(r.Claims) != 0 || len(r.Findings) != 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestACounterThatDoesNotGrowIsACopy, and once seen that stays so.
func TestACounterThatDoesNotGrowIsACopy(t *testing.T) {
	d := newFileDevice(t)
	appraise := func(counter uint64, previous *wire.TPMClock, known bool) wire.Appraised {
		in := d.input(t, counter, goodClaims(t))
		in.Previous, in.Cloned = previous, known
		return verifier.Appraise(in)
	}
	at := func(n uint64) *wire.TPMClock { return &wire.TPMClock{Clock: n} }
	for name, c := range map[string]struct {
		counter  uint64
		previous *wire.TPMClock
		known    bool
		cloned   bool
	}{
		"the first":           {1, nil, false, false},
		"one more":            {8, at(7), false, false},
		"many more":           {9000, at(7), false, false},
		"the same":            {7, at(7), false, true},
		"less":                {6, at(7), false, true},
		"none":                {0, at(0), false, true},
		"more, of a copy":     {8, at(7), true, true},
		"the first of a copy": {1, nil, true, true},
	} {
		r := appraise(c.counter, c.previous, c.known)
		if !c.cloned {
			if r.Vector.InstanceIdentity != wire.Affirming || r.Clock.Clock != c.counter {
				t.Errorf("%s: %+v %s", name, r, codes(r))
			}
			continue
		}
		if affirms(r) || r.Vector.InstanceIdentity != wire.Contraindicated || len(r.Claims) != 0 || codes(r) != "rolled-back/"+reason.SoftwareCloned+" " {
			t.Errorf("%s: %+v %s", name, r, codes(r))
		}
	}
	// A stranger's counter accuses nobody: the signature comes first.
	in := d.input(t, 3, goodClaims(t))
	in.Previous, in.Evidence.Software.Signature = at(7), []byte{1}
	refused(t, "a forged counter", verifier.Appraise(in), reason.SoftwareProofBad)
}

// TestADevicesProofIsOfItsOwnKind: no device changes between TPM and software.
func TestADevicesProofIsOfItsOwnKind(t *testing.T) {
	withTPM, soft := enrolled(t, machine(t, first)), newFileDevice(t)
	claims := goodClaims(t)
	for _, p := range []wire.Provenance{wire.ProvenanceTPM, wire.ProvenanceTPMUnendorsed} {
		in := withTPM.input(t, claims)
		in.Device.Provenance = p
		in.Evidence.Software = &wire.SoftwareProof{Counter: 1, Signature: []byte{1}}
		refused(t, "a software proof beside the quote", verifier.Appraise(in), reason.SoftwareForTPM)
		in = soft.input(t, 1, claims)
		in.Device.Provenance = p
		refused(t, "a software proof for a TPM's device", verifier.Appraise(in), reason.SoftwareForTPM)
	}
	in := withTPM.input(t, claims)
	in.Device = soft.record
	refused(t, "a quote for a software device", verifier.Appraise(in), reason.QuoteForSoftware)
}

func TestSoftwareKeysAreP256InOneForm(t *testing.T) {
	e := &verifier.Endorser{}
	_, good := p256(t)
	if err := e.CheckSoftwareKey(good); err != nil {
		t.Error(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, spki := range map[string][]byte{
		"nothing": nil, "no key": []byte("key"), "P-384": marshalled(t, &p384.PublicKey),
		"trailing bytes": append(bytes.Clone(good), 0),
		"no point":       func() []byte { b := bytes.Clone(good); b[len(b)-1] ^= 1; return b }(),
		"a TPM's public": tpm2.Marshal(signing(true)),
	} {
		if e.CheckSoftwareKey(spki) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestOnlyTheAttestationKeyCertifiesSoftwareKeys(t *testing.T) {
	e := &verifier.Endorser{}
	attestation, spki := p256(t)
	other, tlsPublic := p256(t)
	tls, nonce := sha256.Sum256(tlsPublic), [32]byte{3}
	good := func() wire.CertifiedKey {
		return wire.CertifiedKey{Public: tlsPublic, Signature: sign(t, attestation, wire.SoftwareCertifyBinding("tls", nonce, tlsPublic, tls))}
	}
	if digest, err := e.SoftwareCertified(good(), spki, "tls", nonce, tls); err != nil || digest != tls {
		t.Errorf("%x %v", digest, err)
	}
	foreign := wire.CertifiedKey{Public: tlsPublic, Signature: sign(t, other, wire.SoftwareCertifyBinding("tls", nonce, tlsPublic, tls))}
	attested, swapped := good(), good()
	attested.Attest = []byte{1}
	swapped.Public = spki
	for name, refused := range map[string]func() error{
		"another key's signature": func() error { _, err := e.SoftwareCertified(foreign, spki, "tls", nonce, tls); return err },
		"another purpose":         func() error { _, err := e.SoftwareCertified(good(), spki, "signing", nonce, tls); return err },
		"another nonce":           func() error { _, err := e.SoftwareCertified(good(), spki, "tls", [32]byte{4}, tls); return err },
		"another connection":      func() error { _, err := e.SoftwareCertified(good(), spki, "tls", nonce, [32]byte{5}); return err },
		"another key":             func() error { _, err := e.SoftwareCertified(swapped, spki, "tls", nonce, tls); return err },
		"a TPM's attest beside":   func() error { _, err := e.SoftwareCertified(attested, spki, "tls", nonce, tls); return err },
		"no attestation key":      func() error { _, err := e.SoftwareCertified(good(), nil, "tls", nonce, tls); return err },
	} {
		if refused() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
