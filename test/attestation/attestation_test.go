// Package attestation holds the agent's TPM against the PDP's verifier: what
// one makes of a real TPM, the other must accept, and what belongs to another
// machine, refuse.
package attestation_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/evidence"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// machine is a laptop: a TPM and the agent's view of it.
type machine struct {
	soft *swtpm.TPM
	tpm  *tpm.TPM
}

func newMachine(t *testing.T, ca *swtpm.CA, name string) machine {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := ca.Manufacture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	soft, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := tpm.Open(soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
		if err := soft.Stop(); err != nil {
			t.Error(err)
		}
	})
	return machine{soft, opened}
}

// enrol does what agent and PDP do at enrolment, without the network between.
func enrol(t *testing.T, e *verifier.Endorser, m machine, certificate tpm.EKCertificate) (*tpm.Keys, wire.Device) {
	t.Helper()
	blobs, err := m.tpm.CreateKeys(certificate.Template, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := m.tpm.LoadKeys(blobs)
	if err != nil {
		t.Fatal(err)
	}
	ek, err := e.Endorse(certificate.DER, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if ek.Template() != certificate.Template {
		t.Errorf("the PDP rebuilds a %s EK where the agent has a %s one", ek.Template(), certificate.Template)
	}
	if err := e.CheckAK(keys.AK()); err != nil {
		t.Fatal(err)
	}
	qualified, err := ek.QualifiedName(keys.AK())
	if err != nil {
		t.Fatal(err)
	}
	secret, nonce := sha256.Sum256([]byte("secret")), sha256.Sum256([]byte("certify"))
	blob, encrypted, err := ek.Challenge(keys.AK(), secret[:])
	if err != nil {
		t.Fatal(err)
	}
	if released, err := keys.Activate(blob, encrypted); err != nil || !bytes.Equal(released, secret[:]) {
		t.Fatal("the challenge is not answered:", err)
	}
	tlsKey, err := keys.CertifyTLSKey(nonce)
	if err != nil {
		t.Fatal(err)
	}
	signingKey, err := keys.CertifySigningKey(nonce)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := e.Certified(tlsKey, keys.AK(), qualified, tpm.PurposeTLS, nonce, keys.TLSSPKI())
	if err != nil || spki != keys.TLSSPKI() {
		t.Fatal("the TLS key is refused:", err)
	}
	if _, err := e.Certified(signingKey, keys.AK(), qualified, tpm.PurposeSigning, nonce, keys.TLSSPKI()); err != nil {
		t.Fatal("the signing key is refused:", err)
	}
	return keys, wire.Device{
		ID: "dev-1", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		AK: keys.AK(), AKQualifiedName: qualified, TLSSPKI: spki[:],
	}
}

func attest(t *testing.T, keys *tpm.Keys, nonce [32]byte) wire.Evidence {
	t.Helper()
	claims, err := evidence.Marshal(wire.Claims{Claims: []wire.Claim{
		{ID: wire.ClaimOSRelease, State: wire.ClaimPass, Value: map[string]string{"id": "debian", "version_id": "13"}},
		{ID: wire.ClaimFirewall, State: wire.ClaimPass},
		{ID: wire.ClaimDiskEncryption, State: wire.ClaimError, Problem: "no disk"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	quote, values, err := keys.Quote(nonce, claims)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Assemble(claims, quote, values, nil)
}

func TestAgentAndVerifierAgree(t *testing.T) {
	ca, err := swtpm.NewCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	mine, others := newMachine(t, ca, "a"), newMachine(t, ca, "b")
	roots, intermediates, err := ca.Pools()
	if err != nil {
		t.Fatal(err)
	}
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := mine.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	othersCertificates, err := others.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	otherKeys, _ := enrol(t, e, others, othersCertificates[0])
	for _, certificate := range certificates {
		t.Run(certificate.Template, func(t *testing.T) {
			keys, device := enrol(t, e, mine, certificate)
			issued := time.Now()
			in := verifier.Input{
				Device: device, Nonce: sha256.Sum256([]byte("attest")), IssuedAt: issued, Now: issued.Add(time.Second), ValidFor: time.Minute,
				Rules: verifier.Rules{Policy: verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}}}},
			}
			in.Evidence = attest(t, keys, in.Nonce)
			before := verifier.Appraise(in)
			if before.Vector.InstanceIdentity != wire.Affirming || before.Vector.Hardware != wire.Affirming || len(before.Claims) != 3 {
				t.Fatalf("%+v", before)
			}
			in.Evidence = attest(t, otherKeys, in.Nonce)
			if r := verifier.Appraise(in); r.Vector.InstanceIdentity != wire.Contraindicated {
				t.Errorf("another machine's Evidence: %+v", r)
			}
			// After a power cut the same keys go on, and the counters rise.
			if err := mine.soft.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			in.Evidence, in.Previous = attest(t, keys, in.Nonce), &before.Clock
			after := verifier.Appraise(in)
			if after.Vector != before.Vector || after.Clock.ResetCount <= before.Clock.ResetCount {
				t.Errorf("after a power cut: %+v", after)
			}
		})
	}
}
