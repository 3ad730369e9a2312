package pdp

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"iter"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// scene is a person's session at a portal, on a laptop that is well: directory,
// facts, the baseline and sessions are real, wired as the PDP wires them.
type scene struct {
	t             *testing.T
	names         *directory.Directory
	pdp           *PDP
	person, other wire.Person
	portal        wire.Portal
	laptop, host  wire.Device
	key           wire.SecurityKey
	cookie        string
	office        netip.Addr
	store         store.Store
	approval      ed25519.PrivateKey
	engine        *engine
	log           *audit.Log
	history       *history

	mu        sync.Mutex
	standings map[string]wire.Standing
}

// Append implements session.Recorder, on a real log.
func (s *scene) Append(ctx context.Context, r wire.AuditRecord) (uint64, error) {
	return s.log.Append(ctx, r)
}

// Boot implements appraisal.Boots; nobody boots here.
func (*scene) Boot(context.Context, string) (wire.Boot, error) {
	return wire.Boot{}, store.ErrNotFound
}

// Saw implements appraisal.Boots.
func (*scene) Saw(context.Context, wire.Device, wire.Boot) error { return nil }

// Mint implements session.Tokens.
func (*scene) Mint(context.Context, string, *wire.Facts, *wire.Decision) (string, time.Time, error) {
	return "token", time.Now().Add(5 * time.Minute), nil
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) device(name string, p wire.Provenance) wire.Device {
	s.t.Helper()
	return s.enrolled("moda", name, p)
}

// deviceOf enrols a device with a TPM in an agency.
func (s *scene) deviceOf(agency, name string) wire.Device {
	s.t.Helper()
	return s.enrolled(agency, name, wire.ProvenanceTPM)
}

func (s *scene) enrolled(agency, name string, p wire.Provenance) wire.Device {
	s.t.Helper()
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	s.must(err)
	spki, ek := sha256.Sum256([]byte(name)), sha256.Sum256([]byte("ek "+name))
	d := wire.Device{
		ID: id, Agency: agency, Name: name, Status: wire.DeviceActive, Provenance: p, EKDigest: ek[:],
		AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: spki[:], EnrolledAt: time.Now().UTC(),
	}
	s.must(s.names.AddDevice(s.t.Context(), d, "", nil, nil))
	s.standings[id] = wire.StandingFresh
	return d
}

// standing is a device's that affirms everything.
func (s *scene) standing(id string) wire.DeviceStanding {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := wire.DeviceStanding{DeviceID: id, Standing: s.standings[id], ChangesAt: time.Now().Add(time.Minute)}
	d.Result = wire.AttestationResult{DeviceID: id, IssuedAt: time.Now(), ValidUntil: time.Now().Add(time.Hour), Vector: wire.TrustVector{
		InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming,
	}}
	for _, c := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimFirewall, wire.ClaimDiskEncryption, wire.ClaimSecureBoot} {
		d.Result.Claims = append(d.Result.Claims, wire.Claim{ID: c, State: wire.ClaimPass, Source: "test", MeasuredAt: time.Now()})
	}
	return d
}

func newScene(t *testing.T, sensitivity wire.Sensitivity, provenance wire.Provenance) *scene {
	t.Helper()
	s := &scene{t: t, standings: map[string]wire.Standing{}, office: netip.MustParseAddr("192.0.2.10")}
	st, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	s.must(err)
	t.Cleanup(func() { _ = st.Close() })
	logDir := filepath.Join(t.TempDir(), "audit")
	s.log, err = audit.Open(logDir, audit.Options{ReserveBytes: 64 << 10})
	s.must(err)
	t.Cleanup(func() { s.must(s.log.Close()) })
	s.names = directory.New(st, time.Now, rand.Reader)
	for _, id := range []string{"moda", "nstc"} {
		_, err := s.names.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "機關", NameEN: "Agency"})
		s.must(err)
	}
	s.person, err = s.names.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王小明", Account: "wang.xm"})
	s.must(err)
	s.other, err = s.names.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "李", Account: "li"})
	s.must(err)
	s.key, err = s.names.AddKey(t.Context(), wire.SecurityKey{
		PersonID: s.person.ID, CredentialID: make([]byte, 32), PublicKey: []byte{1}, AAGUID: make([]byte, 16), Nickname: "a", Model: "b", Hardware: true,
	})
	s.must(err)
	s.portal, _, err = s.names.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: sensitivity})
	s.must(err)
	s.laptop, s.host = s.device("LT-1", provenance), s.device("HR-1", wire.ProvenanceTPM)

	e := new(engine)
	e.facts, err = facts.New(facts.Config{
		Directory: s.names, NotFound: func(err error) bool { return errors.Is(err, store.ErrNotFound) }, Standing: s.standing, Clock: time.Now,
		Trust: func(context.Context, facts.Subject) wire.TrustAssessment {
			return wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: time.Now().Add(time.Hour)}
		},
	})
	s.must(err)
	_, s.approval, err = ed25519.GenerateKey(rand.Reader)
	s.must(err)
	s.store, s.engine = st, e
	e.sets = s.newPolicies()
	inputs, err := newInputs(Default().Audit, st, [32]byte{1})
	s.must(err)
	s.history = &history{dir: logDir, inputs: inputs, policyOf: e.policyOf, inForce: e.inForce}
	sessions, err := session.New(t.Context(), session.Config{
		Store: st, Engine: e, Tokens: s, Recorder: s, Inputs: inputs, Observe: s.observe, Clock: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler), Limits: session.DefaultLimits(),
	})
	s.must(err)
	e.sets.Subscribe(sessions.PolicyChanged)
	s.pdp = &PDP{names: s.names, ran: newRan(), engine: e, inputs: inputs, sessions: sessions, policies: e.sets, logger: slog.New(slog.DiscardHandler)}
	s.pdp.software, err = newInventory(InventoryConfig{}, st, s.pdp.logger)
	s.must(err)
	s.pdp.appraisal, err = appraisal.New(t.Context(), appraisal.Config{
		Store: st, Sealer: seal.New([32]byte{1}), Recorder: s, Clock: time.Now, Random: rand.Reader, Logger: s.pdp.logger,
		Boots:  s,
		Verify: func(appraisal.Input) wire.Appraised { return wire.Appraised{} },
		Review: func(appraisal.Reviewed) wire.Appraised { return wire.Appraised{} },
	})
	s.must(err)
	s.pdp.hosts, err = newHosts(t.Context(), s.names)
	s.must(err)
	s.names.Subscribe(func(c directory.Change) {
		switch c.Kind {
		case directory.KindDevice:
			s.pdp.deviceChanged(c.ID)
		case directory.KindPortal:
			s.must(s.pdp.hosts.read(context.Background()))
			s.pdp.sessions.PortalChanged(c.ID)
		}
	})
	s.cookie, err = sessions.Create(t.Context(), s.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: s.person.ID, KeyID: s.key.ID, At: time.Now(), AAL: 3, UserVerified: true},
		Binding: wire.DeviceBinding{DeviceID: s.laptop.ID, At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true},
		Portal:  s.portal.ID, ReturnPath: "/",
	}, s.office, [32]byte{})
	s.must(err)
	return s
}

// newPolicies opens the policy sets, as at a start.
func (s *scene) newPolicies() *policyset.Keeper {
	s.t.Helper()
	sets, err := policyset.New(s.t.Context(), policyset.Config{
		Store: s.store, Load: loadPolicy, Configured: policy.Baseline(), Approval: s.approval, Approvers: 2, ConfirmAbove: 5,
		Recorder: s, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Recorded: func(ctx context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error] {
			return s.history.Decisions(ctx, since)
		},
	})
	s.must(err)
	return sets
}

// reopenPolicies reads the policy sets anew from the store.
func (s *scene) reopenPolicies() {
	s.engine.sets = s.newPolicies()
	s.pdp.policies = s.engine.sets
	s.pdp.sessions.PolicyChanged()
}

func (s *scene) observe(f *wire.Facts, d *wire.Decision) { s.engine.sets.Observe(f, d) }

// ask is what the portal's proxy asks.
func (s *scene) ask() wire.Access {
	return s.pdp.sessions.Authorize(s.t.Context(), wire.AccessRequest{
		Portal: &s.portal, CookieHash: sha256.Sum256([]byte(s.cookie)), Address: s.office, Action: wire.ActionRead,
	})
}

// wants asks as the portal's proxy does: the very next request.
func (s *scene) wants(code string) {
	s.t.Helper()
	a := s.ask()
	if (a.Outcome == wire.AccessGranted) != (code == "") || a.Reason.Code != code {
		s.t.Errorf("outcome %d with %q, want %q", a.Outcome, a.Reason.Code, code)
	}
}

// TestADevicesLifeIsFeltAtTheNextRequest (requirements 19).
func TestADevicesLifeIsFeltAtTheNextRequest(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	s.wants("")
	_, err := s.names.QuarantineDevice(t.Context(), s.laptop.ID, "lost")
	s.must(err)
	s.wants(reason.DeviceInQuarantine)
	_, err = s.names.ReleaseDevice(t.Context(), s.laptop.ID, "")
	s.must(err)
	s.wants("")
	_, err = s.names.AssignDevice(t.Context(), s.laptop.ID, s.other.ID)
	s.must(err)
	s.wants(reason.DeviceOfAnother)
	_, err = s.names.AssignDevice(t.Context(), s.laptop.ID, s.person.ID)
	s.must(err)
	s.wants("")
	_, err = s.names.TransferDevice(t.Context(), directory.Transfer{ID: s.laptop.ID, Agency: "nstc"})
	s.must(err)
	s.wants(reason.DeviceNotActive)
}

// TestAPortalFeelsItsHosts at the next request as well, on both sides of a change.
func TestAPortalFeelsItsHosts(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	_, err := s.names.SetPortalHosts(t.Context(), s.portal.ID, []string{s.host.ID})
	s.must(err)
	s.wants("")
	_, err = s.names.QuarantineDevice(t.Context(), s.host.ID, "suspicion")
	s.must(err)
	s.wants(reason.HostUnknown)
	_, err = s.names.ReleaseDevice(t.Context(), s.host.ID, "")
	s.must(err)
	s.wants("")
	for standing, code := range map[wire.Standing]string{
		wire.StandingSilent: reason.HostNotFresh, wire.StandingStale: reason.HostNotFresh, wire.StandingRefused: reason.HostContraindicated, wire.StandingFresh: "",
	} {
		s.mu.Lock()
		s.standings[s.host.ID] = standing
		s.mu.Unlock()
		s.pdp.hostChanged(s.host.ID) // as appraisal tells
		s.wants(code)
	}
	_, err = s.names.SetPortalHosts(t.Context(), s.portal.ID, nil)
	s.must(err)
	s.wants("")
}

// TestSoftwareKeysOpenNormalPortalsOnly (requirements 5).
func TestSoftwareKeysOpenNormalPortalsOnly(t *testing.T) {
	newScene(t, wire.PortalNormal, wire.ProvenanceSoftware).wants("")
	newScene(t, wire.PortalSensitive, wire.ProvenanceTPM).wants("")
	newScene(t, wire.PortalSensitive, wire.ProvenanceSoftware).wants(reason.ProvenanceTooWeak)
}
