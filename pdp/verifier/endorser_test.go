package verifier_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
	"github.com/menshen-zt/menshen/pdp/verifier/endorsement"
	"github.com/menshen-zt/menshen/pdp/verifier/quote"
)

// The EK that is rebuilt from each certificate is the TPM's own, and the
// Qualified Name that is computed is the one that the TPM gives.
func TestRebuiltEKIsTheTPMsOwn(t *testing.T) {
	b := machine(t, first)
	for index, handle := range map[tpm2.TPMHandle]tpm2.TPMHandle{rsaCertificate: rsaEK, p384Certificate: p384EK} {
		key, err := b.endorser(t).Endorse(b.certificate(t, index), nil, noon)
		if err != nil {
			t.Fatal(err)
		}
		checkAgainstTPM(t, b, key, b.persistentEK(t, handle))
	}
	// No P-256 certificate is made here: its EK comes without one.
	ek := b.primary(t, tpm2.TPMRHEndorsement, tpm2.ECCEKTemplate)
	ek.parent = b.persistentEK(t, rsaEK).parent // the same policy
	der, err := x509.MarshalPKIXPublicKey(ecdsaKey(t, ek.public))
	if err != nil {
		t.Fatal(err)
	}
	key, err := b.endorser(t).Unendorsed(der)
	if err != nil {
		t.Fatal(err)
	}
	checkAgainstTPM(t, b, key, ek)
	if key.Template() != endorsement.P256 || key.Digest() != sha256.Sum256(der) {
		t.Error(key.Template())
	}
}

func checkAgainstTPM(t *testing.T, b *bench, key *verifier.EndorsementKey, ek object) {
	t.Helper()
	name, err := key.Name()
	if err != nil || !bytes.Equal(name, ek.name.Buffer) {
		t.Errorf("%s: Name %x, the TPM's is %x (%v)", key.Template(), name, ek.name.Buffer, err)
	}
	ak := b.child(t, ek, signing(true))
	defer b.flush(ak.handle)
	about, err := tpm2.ReadPublic{ObjectHandle: ak.handle}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	qualified, err := key.QualifiedName(ak.public)
	if err != nil || !bytes.Equal(qualified, about.QualifiedName.Buffer) {
		t.Errorf("%s: Qualified Name %x, the TPM's is %x (%v)", key.Template(), qualified, about.QualifiedName.Buffer, err)
	}
	secret := sha256.Sum256([]byte("secret"))
	blob, encrypted, err := key.Challenge(ak.public, secret[:])
	if err != nil {
		t.Fatal(err)
	}
	answer, err := activate(b, ak, ek, blob, encrypted)
	if err != nil || !bytes.Equal(answer, secret[:]) {
		t.Errorf("%s: the TPM does not answer its own challenge: %v", key.Template(), err)
	}
}

func activate(b *bench, ak, ek object, blob, encrypted []byte) ([]byte, error) {
	answer, err := tpm2.ActivateCredential{
		ActivateHandle: ak.auth(), KeyHandle: ek.auth(),
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: encrypted},
	}.Execute(b.tpm)
	if err != nil {
		return nil, err
	}
	return answer.CertInfo.Buffer, nil
}

// The challenge is for the certificate's TPM and for that one AK.
func TestOthersCannotAnswerTheChallenge(t *testing.T) {
	b, other := machine(t, first), machine(t, second)
	ek, otherEK := b.persistentEK(t, p384EK), other.persistentEK(t, p384EK)
	ak, otherAK := b.child(t, ek, signing(true)), other.child(t, otherEK, signing(true))
	key, err := b.endorser(t).Endorse(b.certificate(t, p384Certificate), nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	secret := sha256.Sum256([]byte("secret"))
	// A certificate of another machine, sent with one's own AK.
	blob, encrypted, err := key.Challenge(otherAK.public, secret[:])
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := activate(other, otherAK, otherEK, blob, encrypted); err == nil {
		t.Errorf("another TPM answered %x", answer)
	}
	// A restricted key of this TPM, but not the one that was challenged.
	blob, encrypted, err = key.Challenge(ak.public, secret[:])
	if err != nil {
		t.Fatal(err)
	}
	second := b.child(t, ek, signing(true))
	if answer, err := activate(b, second, ek, blob, encrypted); err == nil {
		t.Errorf("another AK answered %x", answer)
	}
}

func TestEndorseAsksTheRightCA(t *testing.T) {
	b := machine(t, first)
	none, err := verifier.NewEndorser(x509.NewCertPool(), x509.NewCertPool(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := b.certificate(t, p384Certificate)
	if _, err := none.Endorse(certificate, nil, noon); !errors.Is(err, endorsement.ErrChain) {
		t.Error(err)
	}
	if _, err := b.endorser(t).Endorse(certificate, nil, noon.AddDate(-1, 0, 0)); !errors.Is(err, endorsement.ErrValidity) {
		t.Error(err)
	}
	for _, missing := range []func() (*verifier.Endorser, error){
		func() (*verifier.Endorser, error) { return verifier.NewEndorser(nil, x509.NewCertPool(), rand.Reader) },
		func() (*verifier.Endorser, error) { return verifier.NewEndorser(x509.NewCertPool(), nil, rand.Reader) },
		func() (*verifier.Endorser, error) {
			return verifier.NewEndorser(x509.NewCertPool(), x509.NewCertPool(), nil)
		},
	} {
		if _, err := missing(); err == nil {
			t.Error("an endorser without something")
		}
	}
	if _, err := none.Unendorsed(nil); !errors.Is(err, endorsement.ErrKey) {
		t.Error(err)
	}
}

// TestCertifiedKeys: true certifications by the true AK of keys that are not
// what they should be, and false ones of keys that are.
func TestCertifiedKeys(t *testing.T) {
	b := machine(t, first)
	e := b.endorser(t)
	d := enrolled(t, b)
	nonce, otherNonce := sha256.Sum256([]byte("nonce")), sha256.Sum256([]byte("other"))

	good := b.child(t, d.ek, signing(false))
	tlsSPKI := spki(t, good.public)
	binding := wire.CertifyBinding(verifier.PurposeTLS, nonce, tlsSPKI)
	certified := d.certified(t, good, binding[:])
	got, err := e.Certified(certified, d.record.AK, d.record.AKQualifiedName, verifier.PurposeTLS, nonce, tlsSPKI)
	if err != nil || got != tlsSPKI {
		t.Fatalf("the honest certification is refused: %v", err)
	}
	signBinding := wire.CertifyBinding(verifier.PurposeSigning, nonce, tlsSPKI)
	forSigning := d.certified(t, good, signBinding[:])
	otherNonceBinding := wire.CertifyBinding(verifier.PurposeTLS, otherNonce, tlsSPKI)
	otherKeyBinding := wire.CertifyBinding(verifier.PurposeTLS, nonce, sha256.Sum256([]byte("another key")))
	forOtherNonce, forOtherKey := d.certified(t, good, otherNonceBinding[:]), d.certified(t, good, otherKeyBinding[:])
	forNothing := d.certified(t, good, nil)
	byItself := (&device{bench: b, ak: good}).certified(t, good, binding[:])
	b.flush(good.handle) // the TPM has three slots
	quoted := d.quote(t, binding[:], selectPCRs(tpm2.TPMAlgSHA256, quotedPCRs()...))
	stranger := enrolled(t, machine(t, second))

	type call struct {
		key            wire.CertifiedKey
		ak, qualified  []byte
		purpose        string
		nonce, tlsSPKI [32]byte
	}
	for name, c := range map[string]struct {
		forge func(c *call)
		want  error
	}{
		"other nonce":              {func(c *call) { c.nonce = otherNonce }, quote.ErrExtraData},
		"made for another nonce":   {func(c *call) { c.key = forOtherNonce }, quote.ErrExtraData},
		"made for another key":     {func(c *call) { c.key = forOtherKey }, quote.ErrExtraData},
		"made for another purpose": {func(c *call) { c.key = forSigning }, quote.ErrExtraData},
		"asked another purpose":    {func(c *call) { c.purpose = verifier.PurposeSigning }, quote.ErrExtraData},
		"unknown purpose":          {func(c *call) { c.purpose = "everything" }, verifier.ErrPurpose},
		"made for nothing":         {func(c *call) { c.key = forNothing }, quote.ErrExtraData},
		"other connection":         {func(c *call) { c.tlsSPKI[0] ^= 1 }, quote.ErrExtraData},
		"a quote":                  {func(c *call) { c.key.Attest, c.key.Signature = quoted.Attest, quoted.Signature }, quote.ErrType},
		"other AK":                 {func(c *call) { c.ak = stranger.record.AK }, quote.ErrSignature},
		"other Qualified Name":     {func(c *call) { c.qualified = stranger.record.AKQualifiedName }, quote.ErrSigner},
		"unrestricted AK":          {func(c *call) { c.ak = good.public }, quote.ErrKey},
		"certified by itself":      {func(c *call) { c.key = byItself }, quote.ErrSignature},
		"trailing byte, attest":    {func(c *call) { c.key.Attest = append(bytes.Clone(c.key.Attest), 0) }, quote.ErrSignature},
		"trailing byte, signature": {func(c *call) { c.key.Signature = append(bytes.Clone(c.key.Signature), 0) }, quote.ErrMalformed},
		"trailing byte, public":    {func(c *call) { c.key.Public = append(bytes.Clone(c.key.Public), 0) }, endorsement.ErrDeviceKey},
		"no public":                {func(c *call) { c.key.Public = nil }, endorsement.ErrDeviceKey},
		"public swapped": {func(c *call) {
			other := b.child(t, d.ek, signing(false))
			defer b.flush(other.handle)
			c.key.Public = other.public
		}, verifier.ErrCertified},
		"attributes embellished": {func(c *call) {
			// An importable key is certified as what it is; its public area is
			// sent with better attributes.
			weak := b.child(t, d.ek, signing(false, importable))
			defer b.flush(weak.handle)
			c.key = d.certified(t, weak, binding[:])
			c.key.Public = bytes.Clone(c.key.Public)
			c.key.Public[7] |= 1<<1 | 1<<4
		}, verifier.ErrCertified},
		"another key than the connection's": {func(c *call) {
			other := b.child(t, d.ek, signing(false))
			defer b.flush(other.handle)
			c.key = d.certified(t, other, binding[:])
		}, verifier.ErrConnection},
		"restricted": {func(c *call) { c.key = weakKey(t, d, binding, signing(true)) }, endorsement.ErrDeviceKey},
		"importable": {func(c *call) { c.key = weakKey(t, d, binding, signing(false, importable)) }, endorsement.ErrDeviceKey},
		"with a policy": {func(c *call) {
			c.key = weakKey(t, d, binding, signing(false, func(p *tpm2.TPMTPublic) { p.AuthPolicy.Buffer = make([]byte, 32) }))
		}, endorsement.ErrDeviceKey},
		"P-384":      {func(c *call) { c.key = weakKey(t, d, binding, signing(false, onP384)) }, endorsement.ErrDeviceKey},
		"any scheme": {func(c *call) { c.key = weakKey(t, d, binding, signing(false, anyScheme)) }, endorsement.ErrDeviceKey},
		"decrypting": {func(c *call) {
			c.key = weakKey(t, d, binding, signing(false, anyScheme, func(p *tpm2.TPMTPublic) { p.ObjectAttributes.Decrypt = true }))
		}, endorsement.ErrDeviceKey},
	} {
		in := call{certified, d.record.AK, d.record.AKQualifiedName, verifier.PurposeTLS, nonce, tlsSPKI}
		c.forge(&in)
		if _, err := e.Certified(in.key, in.ak, in.qualified, in.purpose, in.nonce, in.tlsSPKI); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// The signing key is bound to the connection's key, but is another one.
	second := b.child(t, d.ek, signing(false))
	forSecond := d.certified(t, second, signBinding[:])
	got, err = e.Certified(forSecond, d.record.AK, d.record.AKQualifiedName, verifier.PurposeSigning, nonce, tlsSPKI)
	if err != nil || got != spki(t, second.public) {
		t.Error(err)
	}
}

func importable(p *tpm2.TPMTPublic) {
	p.ObjectAttributes.FixedTPM, p.ObjectAttributes.FixedParent = false, false
}

func onP384(p *tpm2.TPMTPublic) {
	p.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		},
		CurveID: tpm2.TPMECCNistP384,
	})
}

func anyScheme(p *tpm2.TPMTPublic) {
	p.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256})
}

// weakKey makes a key and has the AK certify it truly.
func weakKey(t *testing.T, d *device, binding [32]byte, template tpm2.TPMTPublic) wire.CertifiedKey {
	t.Helper()
	key := d.child(t, d.ek, template)
	defer d.flush(key.handle)
	return d.certified(t, key, binding[:])
}
