package enrolment_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/menshen-zt/menshen/agent/softkey"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// plainMachine has no TPM.
type plainMachine struct {
	keys *softkey.Keys
	spki [32]byte
}

type number uint64

func (n *number) Load() (uint64, error) { return uint64(*n), nil }
func (n *number) Save(next uint64) error {
	*n = number(next)
	return nil
}

func newPlain(t *testing.T) *plainMachine {
	t.Helper()
	document, err := softkey.Create(softkey.Secret{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	store, err := softkey.Open(document, softkey.Secret{}, new(number))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := softkey.New(store)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(keys.TLSSigner().Public())
	if err != nil {
		t.Fatal(err)
	}
	return &plainMachine{keys, sha256.Sum256(spki)}
}

func (m *plainMachine) start(code string) wire.EnrolStart {
	return wire.EnrolStart{Code: code, SoftwareKey: m.keys.Attestation(), Hostname: "vm-1", OS: "linux"}
}

func (m *plainMachine) finish(t *testing.T, c wire.EnrolChallenge) wire.EnrolFinish {
	t.Helper()
	own, tls, signing, err := m.keys.Certified([wire.NonceSize]byte(c.CertifyNonce))
	if err != nil {
		t.Fatal(err)
	}
	return wire.EnrolFinish{Enrolment: c.Enrolment, Secret: own.Signature, TLSKey: tls, SigningKey: signing}
}

func (f *fixture) beginPlain(t *testing.T, m *plainMachine, code string) wire.EnrolChallenge {
	t.Helper()
	c, err := f.Start(t.Context(), m.start(code), m.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAMachineWithoutATPMEnrolsAndWaits(t *testing.T) {
	f, m := open(t), newPlain(t)
	code := f.code(t, "moda", "VM-1")
	challenge := f.beginPlain(t, m, code)
	finish := m.finish(t, challenge)
	out, err := f.Finish(t.Context(), finish, m.spki)
	if err != nil || out.Provenance != wire.ProvenanceSoftware {
		t.Fatalf("%+v %v", out, err)
	}
	dev, err := f.directory.DeviceBySPKI(t.Context(), m.spki)
	if err != nil || dev.ID != out.DeviceID || dev.Status != wire.DevicePending || dev.Provenance != wire.ProvenanceSoftware ||
		string(dev.AK) != string(m.keys.Attestation()) || dev.EKDigest != nil || dev.AKQualifiedName != nil || len(dev.SigningKey) == 0 {
		t.Errorf("%+v %v", dev, err)
	}
	if r := f.audit.last(t); r.Step != "finish" || r.Refused != "" {
		t.Errorf("recorded %+v", r)
	}
	// A lost answer is given again, a spent code is not good for another.
	if again, err := f.Finish(t.Context(), finish, m.spki); err != nil || again != out {
		t.Errorf("%+v %v", again, err)
	}
	_, err = f.Start(t.Context(), newPlain(t).start(code), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolCodeUnknown)
	// Approval changes the status and never the mark.
	if dev, err := f.directory.ApproveDevice(t.Context(), dev.ID); err != nil || dev.Status != wire.DeviceActive || dev.Provenance != wire.ProvenanceSoftware {
		t.Errorf("%+v %v", dev, err)
	}
}

// TestAnAgentThatTriesAgainHasNewKeys: the code is still good.
func TestAnAgentThatTriesAgainHasNewKeys(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "VM-1")
	f.beginPlain(t, newPlain(t), code)
	m := newPlain(t)
	if _, err := f.Finish(t.Context(), m.finish(t, f.beginPlain(t, m, code)), m.spki); err != nil {
		t.Error(err)
	}
}

func TestASoftwareKeyTakesNobodysPlace(t *testing.T) {
	f := open(t)
	f.enrol(t, laptop, "moda", "LT-2231")
	m := newPlain(t)
	_, err := f.Start(t.Context(), m.start(f.code(t, "moda", "lt-2231")), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolNameTaken)
	// Neither that of another software device, pending as it is.
	code, late := f.code(t, "moda", "VM-1"), f.code(t, "moda", "VM-1")
	other := newPlain(t)
	begun := f.beginPlain(t, other, late)
	if _, err := f.Finish(t.Context(), m.finish(t, f.beginPlain(t, m, code)), m.spki); err != nil {
		t.Fatal(err)
	}
	_, err = f.Finish(t.Context(), other.finish(t, begun), other.spki)
	refusedWith(t, err, reason.EnrolNameTaken)
	// A code that a TPM began with is that TPM's.
	code = f.code(t, "moda", "LT-3")
	f.begin(t, second, code)
	_, err = f.Start(t.Context(), newPlain(t).start(code), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolCodeBound)
}

func TestACodeThatATPMTookMeanwhile(t *testing.T) {
	f, m := open(t), newPlain(t)
	code := f.code(t, "moda", "LT-3")
	finish := m.finish(t, f.beginPlain(t, m, code))
	f.begin(t, second, code)
	_, err := f.Finish(t.Context(), finish, m.spki)
	refusedWith(t, err, reason.EnrolCodeBound)
}

func TestSoftwareStartsThatAreRefused(t *testing.T) {
	f, m := open(t), newPlain(t)
	code := f.code(t, "moda", "VM-1")
	for name, c := range map[string]struct {
		spoil func(*wire.EnrolStart)
		code  string
	}{
		"no key":           {func(in *wire.EnrolStart) { in.SoftwareKey = []byte("key") }, reason.EnrolSoftwareKey},
		"too long":         {func(in *wire.EnrolStart) { in.SoftwareKey = make([]byte, 1025) }, reason.EnrolMalformed},
		"an AK beside":     {func(in *wire.EnrolStart) { in.AK = laptop.keys.AK() }, reason.EnrolSoftwareMixed},
		"an EK beside":     {func(in *wire.EnrolStart) { in.EKKey = []byte{1} }, reason.EnrolSoftwareMixed},
		"a certificate":    {func(in *wire.EnrolStart) { in.EKCertificate = laptop.certificate }, reason.EnrolSoftwareMixed},
		"an intermediate":  {func(in *wire.EnrolStart) { in.EKIntermediates = [][]byte{{1}} }, reason.EnrolSoftwareMixed},
		"no key of either": {func(in *wire.EnrolStart) { in.SoftwareKey = nil }, reason.EnrolMalformed},
	} {
		in := m.start(code)
		c.spoil(&in)
		_, err := f.Start(t.Context(), in, m.spki, "192.0.2.7")
		t.Run(name, func(t *testing.T) { refusedWith(t, err, c.code) })
	}
	f.beginPlain(t, m, code) // the refusals did not spoil the code
}

func TestSoftwareAnswersThatAreRefused(t *testing.T) {
	f, m, other := open(t), newPlain(t), newPlain(t)
	challenge := f.beginPlain(t, m, f.code(t, "moda", "VM-1"))
	foreign := other.finish(t, challenge)
	elsewhere := f.beginPlain(t, m, f.code(t, "moda", "VM-2"))
	for name, c := range map[string]struct {
		spoil func(*wire.EnrolFinish)
		code  string
	}{
		"no proof":               {func(in *wire.EnrolFinish) { in.Secret = nil }, reason.EnrolSoftwareProof},
		"another's proof":        {func(in *wire.EnrolFinish) { in.Secret = foreign.Secret }, reason.EnrolSoftwareProof},
		"a proof of before":      {func(in *wire.EnrolFinish) { in.Secret = m.finish(t, elsewhere).Secret }, reason.EnrolSoftwareProof},
		"another's TLS key":      {func(in *wire.EnrolFinish) { in.TLSKey = foreign.TLSKey }, reason.EnrolTLSKey},
		"the signing key as TLS": {func(in *wire.EnrolFinish) { in.TLSKey = in.SigningKey }, reason.EnrolTLSKey},
		"another's signing key":  {func(in *wire.EnrolFinish) { in.SigningKey = foreign.SigningKey }, reason.EnrolSigningKey},
		"the TLS key to sign":    {func(in *wire.EnrolFinish) { in.SigningKey = in.TLSKey }, reason.EnrolSigningKey},
	} {
		in := m.finish(t, challenge)
		c.spoil(&in)
		_, err := f.Finish(t.Context(), in, m.spki)
		t.Run(name, func(t *testing.T) { refusedWith(t, err, c.code) })
	}
	_, err := f.Finish(t.Context(), m.finish(t, challenge), other.spki)
	refusedWith(t, err, reason.EnrolChannel)
	if _, err := f.Finish(t.Context(), m.finish(t, challenge), m.spki); err != nil {
		t.Errorf("the refusals spoiled the enrolment: %v", err)
	}
}

// TestACodeReplacesASoftwareDeviceByAnother, and never one with a TPM.
func TestACodeReplacesASoftwareDeviceByAnother(t *testing.T) {
	f, m := open(t), newPlain(t)
	old, err := f.Finish(t.Context(), m.finish(t, f.beginPlain(t, m, f.code(t, "moda", "VM-1"))), m.spki)
	if err != nil {
		t.Fatal(err)
	}
	fresh := newPlain(t)
	out, err := f.Finish(t.Context(), fresh.finish(t, f.beginPlain(t, fresh, f.replacement(t, "VM-1"))), fresh.spki)
	if err != nil || f.device(t, out.DeviceID).Status != wire.DevicePending || f.device(t, old.DeviceID).Status != wire.DeviceRetired {
		t.Errorf("%+v %v", out, err)
	}
	f.enrol(t, laptop, "moda", "LT-2231")
	_, err = f.Start(t.Context(), m.start(f.replacement(t, "LT-2231")), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolNameTaken)
	gone := f.replacement(t, "VM-1")
	if _, err := f.directory.RetireDevice(t.Context(), out.DeviceID); err != nil {
		t.Fatal(err)
	}
	_, err = f.Start(t.Context(), m.start(gone), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolReplacedGone)
}

// TestASoftwareKeyNeedsACode: a list names EKs.
func TestASoftwareKeyNeedsACode(t *testing.T) {
	f, m := open(t), newPlain(t)
	_, err := f.Start(t.Context(), m.start(""), m.spki, "192.0.2.7")
	refusedWith(t, err, reason.EnrolSoftwareMixed)
}
