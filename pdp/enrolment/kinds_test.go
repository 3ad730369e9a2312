package enrolment_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// authority is a CA of a TPM maker.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue has parent, or for none the authority itself, sign a certificate.
func issue(t *testing.T, template *x509.Certificate, public crypto.PublicKey, parent authority) *x509.Certificate {
	t.Helper()
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, public, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAuthority(t *testing.T, name string, parent *authority) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
	if parent == nil {
		parent = &authority{template, key}
	}
	return authority{issue(t, template, &key.PublicKey, *parent), key}
}

// workbench is a new TPM whose NV a test may fill, as its maker would.
type workbench struct {
	chip *swtpm.TPM
	tpm  *tpm.TPM
}

func newWorkbench(t *testing.T) workbench {
	t.Helper()
	powered(t)
	dir := filepath.Join(t.TempDir(), "tpm")
	if err := makers.Manufacture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	chip, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chip.Stop() })
	opened, err := tpm.Open(chip.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return workbench{chip, opened}
}

func (b workbench) write(t *testing.T, index tpm2.TPMHandle, content []byte) {
	t.Helper()
	connection, err := linuxudstpm.Open(b.chip.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	area := tpm2.TPMSNVPublic{
		NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(content)),
		Attributes: tpm2.TPMANV{OwnerWrite: true, AuthRead: true, NoDA: true},
	}
	if _, err := (tpm2.NVDefineSpace{AuthHandle: owner, PublicInfo: tpm2.New2B(area)}.Execute(connection)); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content); at += 400 {
		about, err := tpm2.NVReadPublic{NVIndex: index}.Execute(connection) // its Name changes when it is written
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (tpm2.NVWrite{
			AuthHandle: owner, NVIndex: tpm2.NamedHandle{Handle: index, Name: about.NVName},
			Data: tpm2.TPM2BMaxNVBuffer{Buffer: content[at:min(at+400, len(content))]}, Offset: uint16(at),
		}.Execute(connection)); err != nil {
			t.Fatal(err)
		}
	}
}

// certify writes a certificate of the TPM's P-256 EK where its maker would.
func (b workbench) certify(t *testing.T, maker authority) {
	t.Helper()
	_, spki, err := b.tpm.EKPublic(tpm.EKP256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	c := issue(t, &x509.Certificate{
		KeyUsage: x509.KeyUsageKeyAgreement, UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}},
	}, public, maker)
	b.write(t, 0x01c0000a, c.Raw)
}

// machine is what the agent would make of the TPM's EK of this kind.
func (b workbench) machine(t *testing.T, template string) (*machine, wire.EnrolStart) {
	t.Helper()
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range certificates {
		if c.Template != template {
			continue
		}
		m := &machine{tpm: b.tpm, certificate: c.DER}
		if err := m.newKeys(template); err != nil {
			t.Fatal(err)
		}
		in := m.start("")
		if in.EKIntermediates, err = b.tpm.EKIntermediates(); err != nil {
			t.Fatal(err)
		}
		return m, in
	}
	t.Fatalf("no certificate of a %s EK", template)
	return nil, wire.EnrolStart{}
}

// trust adds a maker's root to the PDP's.
func (f *fixture) trust(t *testing.T, root *x509.Certificate) {
	t.Helper()
	roots, intermediates, err := makers.Pools()
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.config.Endorser = endorser{e}
	f.use(t, f.config)
}

// One TPM, three EKs: each enrols with its certificate and its own challenge.
func TestEachKindOfEKEnrols(t *testing.T) {
	b, f := newWorkbench(t), open(t)
	root := newAuthority(t, "root", nil)
	b.certify(t, root)
	f.trust(t, root.certificate)
	if certificates, err := b.tpm.EKCertificates(); err != nil || len(certificates) != 3 || certificates[0].Template != tpm.EKP256 ||
		certificates[1].Template != tpm.EKP384 || certificates[2].Template != tpm.EKRSA2048 {
		t.Fatalf("the agent's order: %v %v", certificates, err)
	}
	for _, template := range []string{tpm.EKRSA2048, tpm.EKP256, tpm.EKP384} {
		m, in := b.machine(t, template)
		in.Code = f.code(t, "moda", "LT-"+template)
		c, err := f.Start(t.Context(), in, m.spki, "192.0.2.7")
		if err != nil || c.EK != template {
			t.Fatalf("%s: %q %v", template, c.EK, err)
		}
		out, err := f.Finish(t.Context(), m.finish(t, c), m.spki)
		if err != nil || out.Provenance != wire.ProvenanceTPM {
			t.Fatalf("%s: %+v %v", template, out, err)
		}
	}
}

// The issuing CA and the one above it lie in the TPM alone, one of them over two
// areas of NV.
func TestAChainInNVEnrols(t *testing.T) {
	b, f := newWorkbench(t), open(t)
	root := newAuthority(t, "root", nil)
	upper := newAuthority(t, "upper", &root)
	issuing := newAuthority(t, "issuing", &upper)
	b.certify(t, issuing)
	f.trust(t, root.certificate)
	m, bare := b.machine(t, tpm.EKP256)
	bare.Code = f.code(t, "moda", "LT-2231")
	_, err := f.Start(t.Context(), bare, m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolEKRefused)

	cut := len(upper.certificate.Raw) / 2
	b.write(t, 0x01c00100, append(issuing.certificate.Raw[:len(issuing.certificate.Raw):len(issuing.certificate.Raw)], upper.certificate.Raw[:cut]...))
	b.write(t, 0x01c00101, upper.certificate.Raw[cut:])
	m, in := b.machine(t, tpm.EKP256)
	if len(in.EKIntermediates) != 2 {
		t.Fatalf("%d intermediates were read", len(in.EKIntermediates))
	}
	in.Code = bare.Code
	c, err := f.Start(t.Context(), in, m.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := f.Finish(t.Context(), m.finish(t, c), m.spki); err != nil || out.Provenance != wire.ProvenanceTPM {
		t.Errorf("%+v %v", out, err)
	}
}
