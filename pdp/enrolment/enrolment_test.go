package enrolment_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/store"
)

func TestAMachineEnrols(t *testing.T) {
	f := open(t)
	out := f.enrol(t, laptop, "moda", "LT-2231")
	want := wire.Enrolled{DeviceID: out.DeviceID, DeviceName: "LT-2231", Agency: "moda", Provenance: wire.ProvenanceTPM, WebOrigin: "https://pdp.example"}
	if out != want {
		t.Errorf("enrolled %+v", out)
	}
	dev, err := f.directory.DeviceBySPKI(t.Context(), laptop.spki)
	if err != nil || dev.ID != out.DeviceID || dev.Status != wire.DeviceActive || !bytes.Equal(dev.AK, laptop.keys.AK()) || len(dev.AKQualifiedName) == 0 || len(dev.SigningKey) == 0 {
		t.Errorf("device %+v, %v", dev, err)
	}
	if r := f.audit.last(t); r.Step != "finish" || r.Refused != "" {
		t.Errorf("recorded %+v", r)
	}
	for _, r := range f.audit.records {
		if r.Kind != wire.AuditEnrolment || r.Agency != "moda" {
			t.Errorf("record %+v", r)
		}
	}
}

func TestAnAnswerThatWasLostIsGivenAgain(t *testing.T) {
	f := open(t)
	finish := laptop.finish(t, f.begin(t, laptop, f.code(t, "moda", "LT-2231")))
	first, err := f.Finish(t.Context(), finish, laptop.spki)
	if err != nil {
		t.Fatal(err)
	}
	before := f.contents(t)
	again, err := f.Finish(t.Context(), finish, laptop.spki)
	if err != nil || again != first {
		t.Errorf("%+v %v", again, err)
	}
	if diff := cmp.Diff(string(before), string(f.contents(t))); diff != "" {
		t.Errorf("the repetition changed something: %s", diff)
	}
	// Without the proofs the repetition is refused like the first.
	wrong := finish
	wrong.Secret = make([]byte, 32)
	_, err = f.Finish(t.Context(), wrong, laptop.spki)
	refusedWith(t, err, reason.EnrolActivation)
	// And once the device is retired, the code is simply spent.
	if _, err := f.directory.RetireDevice(t.Context(), first.DeviceID); err != nil {
		t.Fatal(err)
	}
	_, err = f.Finish(t.Context(), finish, laptop.spki)
	refusedWith(t, err, reason.EnrolCodeUnknown)
}

func TestOfManyFinishesOneMakesTheDevice(t *testing.T) {
	f := open(t)
	finish := laptop.finish(t, f.begin(t, laptop, f.code(t, "moda", "LT-2231")))
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			if out, err := f.Finish(context.Background(), finish, laptop.spki); err == nil {
				mu.Lock()
				ids[out.DeviceID] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all, err := f.directory.Devices(t.Context(), "moda")
	if err != nil || len(all) != 1 || len(ids) != 1 || !ids[all[0].ID] {
		t.Errorf("devices %v, answers %v, %v", len(all), ids, err)
	}
}

func TestTPMsThatAreRefused(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	start := func(spoil func(*wire.EnrolStart)) error {
		in := laptop.start(code)
		spoil(&in)
		_, err := f.Start(t.Context(), in, laptop.spki, "192.0.2.7")
		return err
	}
	certified, err := laptop.keys.CertifyTLSKey([32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	refusedWith(t, start(func(in *wire.EnrolStart) { in.EKCertificate = stranger.certificate }), reason.EnrolEKRefused)
	refusedWith(t, start(func(in *wire.EnrolStart) { in.EKCertificate = in.EKCertificate[:100] }), reason.EnrolEKRefused)
	refusedWith(t, start(func(in *wire.EnrolStart) { in.EKCertificate, in.EKKey = nil, []byte("no key") }), reason.EnrolEKRefused)
	// An unrestricted key activates a credential too, and then signs anything.
	refusedWith(t, start(func(in *wire.EnrolStart) { in.AK = certified.Public }), reason.EnrolAKRefused)
	refusedWith(t, start(func(in *wire.EnrolStart) { in.AK = []byte("no key") }), reason.EnrolAKRefused)
	if r := f.audit.last(t); r.Refused != reason.EnrolAKRefused || r.Why == "" {
		t.Errorf("recorded %+v", r)
	}
	if err := start(func(*wire.EnrolStart) {}); err != nil {
		t.Errorf("the refusals spoiled the code: %v", err)
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	f := open(t)
	c := f.begin(t, laptop, f.code(t, "moda", "LT-2231"))
	honest := laptop.finish(t, c)
	otherNonce, err := laptop.keys.CertifyTLSKey([32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	foreign := second.certified(t, c, honest.Secret)
	forgedTicket := []byte(c.Enrolment)
	forgedTicket[len(forgedTicket)/2] ^= 1

	for name, attempt := range map[string]struct {
		spoil func(*wire.EnrolFinish)
		spki  [32]byte
		want  string
	}{
		"forged ticket":               {func(in *wire.EnrolFinish) { in.Enrolment = string(forgedTicket) }, laptop.spki, reason.EnrolTicket},
		"no ticket":                   {func(in *wire.EnrolFinish) { in.Enrolment = "" }, laptop.spki, reason.EnrolTicket},
		"another TLS key":             {func(*wire.EnrolFinish) {}, second.spki, reason.EnrolChannel},
		"no secret":                   {func(in *wire.EnrolFinish) { in.Secret = nil }, laptop.spki, reason.EnrolActivation},
		"guessed secret":              {func(in *wire.EnrolFinish) { in.Secret = make([]byte, 32) }, laptop.spki, reason.EnrolActivation},
		"TLS key, another nonce":      {func(in *wire.EnrolFinish) { in.TLSKey = otherNonce }, laptop.spki, reason.EnrolTLSKey},
		"TLS key of another TPM":      {func(in *wire.EnrolFinish) { in.TLSKey = foreign.TLSKey }, laptop.spki, reason.EnrolTLSKey},
		"signing key as TLS key":      {func(in *wire.EnrolFinish) { in.TLSKey = in.SigningKey }, laptop.spki, reason.EnrolTLSKey},
		"TLS key as signing key":      {func(in *wire.EnrolFinish) { in.SigningKey = in.TLSKey }, laptop.spki, reason.EnrolSigningKey},
		"signing key of another TPM":  {func(in *wire.EnrolFinish) { in.SigningKey = foreign.SigningKey }, laptop.spki, reason.EnrolSigningKey},
		"another public, same attest": {func(in *wire.EnrolFinish) { in.SigningKey.Public = in.TLSKey.Public }, laptop.spki, reason.EnrolSigningKey},
		"broken signature":            {func(in *wire.EnrolFinish) { in.TLSKey.Signature = flip(in.TLSKey.Signature) }, laptop.spki, reason.EnrolTLSKey},
		"no keys":                     {func(in *wire.EnrolFinish) { in.TLSKey = wire.CertifiedKey{} }, laptop.spki, reason.EnrolTLSKey},
	} {
		t.Run(name, func(t *testing.T) {
			in := honest
			attempt.spoil(&in)
			_, err := f.Finish(t.Context(), in, attempt.spki)
			refusedWith(t, err, attempt.want)
		})
	}
	if all, _ := f.directory.Devices(t.Context(), "moda"); len(all) != 0 {
		t.Error("a device was made")
	}
	if _, err := f.Finish(t.Context(), honest, laptop.spki); err != nil {
		t.Errorf("the refusals spoiled the enrolment: %v", err)
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// A key of the laptop's AK cannot be enrolled by somebody who sits before
// another TPM: the secret does not come out there.
func TestAnotherTPMReleasesNoSecret(t *testing.T) {
	f := open(t)
	c := f.begin(t, laptop, f.code(t, "moda", "LT-2231"))
	if _, err := second.keys.Activate(c.CredentialBlob, c.EncryptedSecret); err == nil {
		t.Error("another TPM released the secret")
	}
	if _, err := laptop.again(t).keys.Activate(c.CredentialBlob, c.EncryptedSecret); err == nil {
		t.Error("another AK of the same TPM released the secret")
	}
}

func TestAnEnrolmentThatTakesTooLong(t *testing.T) {
	f := open(t)
	finish := laptop.finish(t, f.begin(t, laptop, f.code(t, "moda", "LT-2231")))
	f.now = f.now.Add(enrolment.SessionLife)
	_, err := f.Finish(t.Context(), finish, laptop.spki)
	refusedWith(t, err, reason.EnrolTicketExpired)
}

// keylime #1820: whoever has a code must not take over a device's identity
// with another TPM.
func TestIdentitiesAreNotTakenOver(t *testing.T) {
	f := open(t)
	first := f.enrol(t, laptop, "moda", "LT-2231")
	refusedWith(t, f.startError(t, second, f.code(t, "moda", "lt-2231")), reason.EnrolNameTaken)
	other := f.startError(t, laptop.again(t), f.code(t, "moda", "LT-9"))
	refusedWith(t, other, reason.EnrolEKOtherName)
	for _, language := range []reason.Language{reason.English, reason.Chinese} {
		var told interface{ Reason() wire.Reason }
		if errors.As(other, &told); !strings.Contains(reason.Of(language, told.Reason()).What, "LT-2231") {
			t.Errorf("%s: %q does not name the device", language, reason.Of(language, told.Reason()).What)
		}
	}
	refusedWith(t, f.startError(t, laptop.again(t), f.code(t, "nstc", "LT-2231")), reason.EnrolEKTaken)
	if r := f.audit.last(t); r.Refused != reason.EnrolEKTaken {
		t.Errorf("recorded %+v", r)
	}
	if dev, err := f.directory.Device(t.Context(), first.DeviceID); err != nil || dev.Status != wire.DeviceActive {
		t.Errorf("%+v %v", dev, err)
	}
}

// The check at the start is for the person; what counts is the one at the end.
func TestIdentitiesAreNotTakenOverBetweenStartAndFinish(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	finish := second.finish(t, f.begin(t, second, code))
	f.enrol(t, laptop, "moda", "LT-2231")
	_, err := f.Finish(t.Context(), finish, second.spki)
	refusedWith(t, err, reason.EnrolNameTaken)

	again := laptop.again(t)
	elsewhere := again.finish(t, f.beginUnchecked(t, again))
	_, err = f.Finish(t.Context(), elsewhere, again.spki)
	refusedWith(t, err, reason.EnrolEKOtherName)
}

// beginUnchecked starts the laptop under a new name while it is retired, and
// brings it back to life before the finish.
func (f *fixture) beginUnchecked(t *testing.T, m *machine) wire.EnrolChallenge {
	t.Helper()
	dev, err := f.directory.DeviceBySPKI(t.Context(), laptop.spki)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.directory.RetireDevice(t.Context(), dev.ID); err != nil {
		t.Fatal(err)
	}
	c := f.begin(t, m, f.code(t, "moda", "LT-77"))
	f.enrol(t, laptop.again(t), "moda", "LT-2231")
	return c
}

func TestTheSameTPMEnrolsAgainUnderItsName(t *testing.T) {
	f := open(t)
	first := f.enrol(t, laptop, "moda", "LT-2231")
	again := laptop.again(t)
	out := f.enrol(t, again, "moda", "LT-2231")
	if out.DeviceID == first.DeviceID {
		t.Error("a re-enrolment kept the id")
	}
	if r := f.audit.last(t); r.Replaces != first.DeviceID {
		t.Errorf("recorded %+v", r)
	}
	if old, _ := f.directory.Device(t.Context(), first.DeviceID); old.Status != wire.DeviceRetired {
		t.Errorf("the old device is %s", old.Status)
	}
	if old, _ := f.directory.DeviceBySPKI(t.Context(), laptop.spki); old.Status != wire.DeviceRetired {
		t.Errorf("the old TLS key is %s", old.Status)
	}
	if now, _ := f.directory.DeviceBySPKI(t.Context(), again.spki); now.Status != wire.DeviceActive {
		t.Errorf("the new TLS key is %s", now.Status)
	}
}

func TestATPMWithoutCertificateWaitsForApproval(t *testing.T) {
	f := open(t)
	c, err := f.Start(t.Context(), stranger.unendorsed(t, f.code(t, "moda", "LT-5")), stranger.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	wrong := stranger.finish(t, c)
	wrong.Secret = make([]byte, 32)
	_, err = f.Finish(t.Context(), wrong, stranger.spki) // the TPM still proves its EK
	refusedWith(t, err, reason.EnrolActivation)
	out, err := f.Finish(t.Context(), stranger.finish(t, c), stranger.spki)
	if err != nil || out.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Fatalf("%+v %v", out, err)
	}
	dev, err := f.directory.Device(t.Context(), out.DeviceID)
	if err != nil || dev.Status != wire.DevicePending || len(dev.EKDigest) != 32 {
		t.Errorf("%+v %v", dev, err)
	}
	if dev, err = f.directory.ApproveDevice(t.Context(), dev.ID); err != nil || dev.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Errorf("%+v %v", dev, err)
	}
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	f.audit.full = true
	refusedWith(t, f.startError(t, laptop, code), reason.AuditClosed)
	f.audit.full = false
	finish := laptop.finish(t, f.begin(t, laptop, code))
	f.audit.full = true
	_, err := f.Finish(t.Context(), finish, laptop.spki)
	refusedWith(t, err, reason.AuditClosed)
	if all, _ := f.directory.Devices(t.Context(), "moda"); len(all) != 0 {
		t.Error("a device was made without a record")
	}
	f.audit.full = false
	if _, err := f.Finish(t.Context(), finish, laptop.spki); err != nil {
		t.Error(err)
	}
}

// between has something happen while a finish is under way.
type between struct {
	enrolment.Devices
	meanwhile func()
}

func (b *between) DeviceByEK(ctx context.Context, ek [32]byte) (wire.Device, error) {
	if do := b.meanwhile; do != nil {
		b.meanwhile = nil
		do()
	}
	return b.Devices.DeviceByEK(ctx, ek)
}

// Two enrolments that one code began, of one TPM: when the second one looks,
// the first device stands there like one to be enrolled again.
func TestACodeIsConsumedOnceAlsoInARace(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	again := laptop.again(t)
	first, second := laptop.finish(t, f.begin(t, laptop, code)), again.finish(t, f.begin(t, again, code))
	race := &between{Devices: f.directory}
	config := f.config
	config.Devices = race
	f.use(t, config)
	var winner wire.Enrolled
	race.meanwhile = func() {
		var err error
		if winner, err = f.Finish(t.Context(), first, laptop.spki); err != nil {
			t.Error(err)
		}
	}
	_, err := f.Finish(t.Context(), second, again.spki)
	refusedWith(t, err, reason.Conflict)
	if dev, err := f.directory.Device(t.Context(), winner.DeviceID); err != nil || dev.Status != wire.DeviceActive {
		t.Errorf("%+v %v", dev, err)
	}
}

// vanishing gives an uncertain answer to the transaction that makes the
// device, after it happened.
type vanishing struct {
	store.Store
	armed bool
}

func (v *vanishing) Txn(ctx context.Context, c []store.Compare, ops []store.Op) (int64, error) {
	revision, err := v.Store.Txn(ctx, c, ops)
	if v.armed && err == nil {
		v.armed = false
		return 0, store.ErrIndeterminate
	}
	return revision, err
}

func devicesOver(f *fixture, s store.Store) *directory.Directory {
	return directory.New(s, func() time.Time { return f.now }, rand.Reader)
}

func TestAnUncertainCommitIsSettledByAskingAgain(t *testing.T) {
	f := open(t)
	uncertain := &vanishing{Store: f.store}
	config := f.config
	config.Store = uncertain
	config.Devices = devicesOver(f, uncertain)
	f.use(t, config)
	finish := laptop.finish(t, f.begin(t, laptop, f.code(t, "moda", "LT-2231")))
	uncertain.armed = true
	if _, err := f.Finish(t.Context(), finish, laptop.spki); err == nil {
		t.Fatal("an uncertain commit was acknowledged")
	}
	if _, err := f.Finish(t.Context(), finish, laptop.spki); err != nil {
		t.Error(err)
	}
	if all, _ := f.directory.Devices(t.Context(), "moda"); len(all) != 1 {
		t.Errorf("%d devices", len(all))
	}
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	f := open(t)
	for name, spoil := range map[string]func(*enrolment.Config){
		"store":     func(c *enrolment.Config) { c.Store = nil },
		"endorser":  func(c *enrolment.Config) { c.Endorser = nil },
		"recorder":  func(c *enrolment.Config) { c.Recorder = nil },
		"authority": func(c *enrolment.Config) { c.Authority = [sha256.Size]byte{} },
		"origin":    func(c *enrolment.Config) { c.WebOrigin = "" },
	} {
		c := f.config
		spoil(&c)
		if _, err := enrolment.New(c); err == nil {
			t.Error(name, "may be missing")
		}
	}
}

// blind refuses what it is told to, and believes all else.
type blind struct {
	enrolment.Endorser
	refuseAK bool
}

func (b blind) Endorse(certificate []byte, sent [][]byte, now time.Time) (enrolment.EndorsementKey, error) {
	key, err := b.Endorser.Endorse(certificate, sent, now)
	return blindKey{key}, err
}

func (b blind) CheckAK([]byte) error {
	if b.refuseAK {
		return errors.New("unrestricted")
	}
	return nil
}

type blindKey struct{ enrolment.EndorsementKey }

func (blindKey) QualifiedName([]byte) ([]byte, error) { return make([]byte, 34), nil }

// No single check of the AK leans on another one.
func TestTheChecksOfTheAKStandAlone(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	honest := f.config.Endorser
	config := f.config
	config.Endorser = blind{honest, true}
	f.use(t, config)
	refusedWith(t, f.startError(t, laptop, code), reason.EnrolAKRefused)

	// With a wrong Qualified Name no certification is believed.
	config.Endorser = blind{honest, false}
	f.use(t, config)
	_, err := f.Finish(t.Context(), laptop.finish(t, f.begin(t, laptop, code)), laptop.spki)
	refusedWith(t, err, reason.EnrolTLSKey)
}
