package pdp

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/store"
)

// party is one person with a key, on a laptop, at a portal: everything that one
// session stands on, and nothing that another does.
type party struct {
	person wire.Person
	key    wire.SecurityKey
	laptop wire.Device
	host   wire.Device
	portal wire.Portal
	cookie string
	id     string
}

var desk = netip.MustParseAddr("192.0.2.10")

// wholePDP is a PDP with all its parts, on real files, that permits everything
// and listens nowhere. Only its laptops' standing is given.
func wholePDP(t *testing.T) *PDP {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"policy", "cas", "run"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(dir, "policy", "all.cedar"), []byte("@id(\"all\")\npermit (principal, action, resource);\n"), 0o600))
	c := Default()
	c.Data, c.Web.Origin, c.Policy.Folder = filepath.Join(dir, "data"), "https://pdp.example", filepath.Join(dir, "policy")
	c.Attestation.EndorsementCAs, c.Admin.Socket = filepath.Join(dir, "cas"), filepath.Join(dir, "run", "admin.sock")
	c.WebAuthn.PermitTestAuthenticators = true
	_, err := Init(t.Context(), c, First{Agency: wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital"}, Account: "chen", Name: "陳"})
	must(t, err)
	p, err := New(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	must(t, err)
	p.engine.facts, err = facts.New(facts.Config{
		Directory: p.names, NotFound: func(err error) bool { return errors.Is(err, store.ErrNotFound) }, Standing: healthy, Clock: time.Now, Trust: p.situation.Trust,
	})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.sessions.Run(ctx) }()
	t.Cleanup(func() { stop(); must(t, <-ended); must(t, p.Close()) })
	return p
}

// join makes a party of an agency, with its session.
func join(t *testing.T, p *PDP, agency, name string) *party {
	t.Helper()
	ctx, s := t.Context(), &scene{t: t, names: p.names, standings: map[string]wire.Standing{}}
	one := &party{}
	var err error
	one.person, err = p.names.CreatePerson(ctx, wire.Person{Agency: agency, Name: name, Account: name})
	must(t, err)
	credential := sha256.Sum256([]byte(name))
	one.key, err = p.names.AddKey(ctx, wire.SecurityKey{PersonID: one.person.ID, CredentialID: credential[:], PublicKey: []byte{1},
		AAGUID: make([]byte, 16), Nickname: "a", Model: "b", Hardware: true})
	must(t, err)
	one.laptop, one.host = s.deviceOf(agency, "LT-"+name), s.deviceOf(agency, "HR-"+name)
	one.portal, _, err = p.names.CreatePortal(ctx, wire.Portal{Agency: agency, NameZH: "人事", NameEN: "HR", Origin: "https://" + name + ".example", Sensitivity: wire.PortalNormal})
	must(t, err)
	_, err = p.names.SetPortalHosts(ctx, one.portal.ID, []string{one.host.ID})
	must(t, err)
	one.cookie, err = p.sessions.Create(ctx, one.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: one.person.ID, KeyID: one.key.ID, At: time.Now(), AAL: 3, UserVerified: true},
		Binding: wire.DeviceBinding{DeviceID: one.laptop.ID, At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true},
		Portal:  one.portal.ID, ReturnPath: "/",
	}, desk, [32]byte{})
	must(t, err)
	one.id = p.sessions.Sessions(one.person.ID)[0].ID
	return one
}

// decision is the id of the decision that answers the party's next request.
func (o *party) decision(t *testing.T, p *PDP) string {
	t.Helper()
	a := p.sessions.Authorize(t.Context(), wire.AccessRequest{Portal: &o.portal, CookieHash: sha256.Sum256([]byte(o.cookie)), Address: desk, Action: wire.ActionRead})
	if a.Decision == nil {
		t.Fatalf("no decision: %d %s", a.Outcome, a.Reason.Code)
	}
	return a.Decision.ID
}

// TestEachChangeReachesItsSessionsAlone (requirements 19): on a whole PDP every
// kind of change has exactly the sessions decided anew that stand on it.
func TestEachChangeReachesItsSessionsAlone(t *testing.T) {
	p := wholePDP(t)
	ctx := t.Context()
	_, err := p.names.CreateAgency(ctx, wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "Science"})
	must(t, err)
	one, other := join(t, p, "moda", "wang"), join(t, p, "nstc", "li")
	for _, c := range []struct {
		name       string
		change     func() error
		one, other bool
	}{
		{"nothing", func() error { return nil }, false, false},
		{"person", func() error { _, err := p.names.SetDisabled(ctx, one.person.ID, true); return err }, true, false},
		{"person enabled", func() error { _, err := p.names.SetDisabled(ctx, one.person.ID, false); return err }, true, false},
		{"person signed out", func() error { _, err := p.names.SignOut(ctx, other.person.ID); return err }, false, true},
		{"person without a session", func() error {
			_, err := p.names.CreatePerson(ctx, wire.Person{Agency: "moda", Name: "Lin", Account: "lin"})
			return err
		}, false, false},
		{"key", func() error { return p.names.RevokeKey(ctx, one.key.ID) }, true, false},
		{"device's record", func() error { _, err := p.names.GroupDevice(ctx, one.laptop.ID, "pilot"); return err }, true, false},
		{"device in quarantine", func() error { _, err := p.names.QuarantineDevice(ctx, other.laptop.ID, "lost"); return err }, false, true},
		{"portal's routes", func() error {
			_, err := p.names.SetPortalRoutes(ctx, one.portal.ID, []wire.Route{{Path: "/x", Class: "x"}})
			return err
		}, true, false},
		{"portal's networks", func() error {
			_, err := p.names.SetPortalTokenFrom(ctx, other.portal.ID, []string{"192.0.2.0/24"})
			return err
		}, false, true},
		{"portal's host", func() error { _, err := p.names.QuarantineDevice(ctx, one.host.ID, "patch"); return err }, true, false},
		{"trust", func() error { p.situation.tell(one.id); return nil }, true, false},
		{"trust of nobody", func() error { p.situation.tell("ses-0"); return nil }, false, false},
		{"signing key", func() error { return p.tokens.Withdraw("moda") }, true, false},
		{"another agency's signing key", func() error { return p.tokens.Withdraw("nstc") }, false, true},
		{"new agency", func() error {
			_, err := p.names.CreateAgency(ctx, wire.Agency{ID: "mof", NameZH: "財政部", NameEN: "Finance"})
			return err
		}, false, false},
		{"policy", func() error { p.sessions.PolicyChanged(); return nil }, true, true},
		{"device retired", func() error { _, err := p.names.RetireDevice(ctx, one.laptop.ID); return err }, true, false},
	} {
		before, otherBefore := one.decision(t, p), other.decision(t, p)
		if err := c.change(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := one.decision(t, p) != before; got != c.one {
			t.Errorf("%s: the one decided anew: %v", c.name, got)
		}
		if got := other.decision(t, p) != otherBefore; got != c.other {
			t.Errorf("%s: the other decided anew: %v", c.name, got)
		}
	}
}
