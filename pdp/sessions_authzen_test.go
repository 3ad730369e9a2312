package pdp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/applications"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/policy/application"
	"github.com/menshen-zt/menshen/pdp/seal"
)

// asking is a scene whose portal asks by AuthZEN about its person's session.
type asking struct {
	*scene
	server  *authzen.Server
	keeper  *applications.Keeper[*application.Application]
	session string
	changed func() // what happens while the answer is recorded
}

// PortalOf implements authzen.Portals.
func (a *asking) PortalOf(context.Context, string) (*wire.Portal, error) {
	portal, err := a.names.Portal(a.t.Context(), a.portal.ID)
	return &portal, err
}

// Append implements authzen.Recorder.
func (a *asking) Append(ctx context.Context, r wire.AuditRecord) (uint64, error) {
	if a.changed != nil {
		a.changed()
	}
	return a.scene.Append(ctx, r)
}

func newAsking(t *testing.T, sensitivity wire.Sensitivity) *asking {
	t.Helper()
	a := &asking{scene: newScene(t, sensitivity, wire.ProvenanceTPM)}
	a.session = a.pdp.sessions.Sessions("")[0].ID
	var err error
	a.keeper, err = applications.New(t.Context(), applications.Config[*application.Application]{
		Store: a.store, Load: application.Load, Keep: time.Hour, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	a.must(err)
	a.server, err = authzen.New(authzen.Config{
		Portals: a, Judge: &arbiter{applications: a.keeper, sessions: a.pdp.sessions}, Sealer: seal.New([32]byte{1}), Inputs: evaluationInputs{a.pdp.inputs}, Recorder: a,
		Names: []string{"pdp.example"}, Clock: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	a.must(err)
	a.history.again, a.history.rulesOf, a.history.rulesNow = a.server.Again, a.keeper.At, a.keeper.Of
	return a
}

type told struct {
	Decision bool
	Results  []struct{ ID, Name string }
	Context  struct {
		Code string
		ACR  string `json:"acr_values"`
	}
}

func (a *asking) post(path, body string) (int, told) {
	a.t.Helper()
	w, out := a.send(path, body)
	return w.Code, out
}

func (a *asking) send(path, body string) (*httptest.ResponseRecorder, told) {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), http.MethodPost, "https://pdp.example"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Menshen-Portal-Secret", "any")
	w := httptest.NewRecorder()
	a.server.ServeHTTP(w, r)
	var out told
	a.must(json.Unmarshal(w.Body.Bytes(), &out.Context))
	if w.Code == http.StatusOK {
		out.Context.Code = ""
		a.must(json.Unmarshal(w.Body.Bytes(), &out))
	}
	return w, out
}

// judged asks about the session and wants an allow, or a denial with this code.
func (a *asking) judged(session, properties, action, kind, id, code string) told {
	a.t.Helper()
	if properties != "" {
		properties = `,"properties":` + properties
	}
	body := fmt.Sprintf(`{"subject":{"type":"menshen-session","id":%q%s},"action":{"name":%q},"resource":{"type":%q,"id":%q}}`, session, properties, action, kind, id)
	status, out := a.post("/access/v1/evaluation", body)
	if status != http.StatusOK || out.Decision != (code == "") || out.Context.Code != code {
		a.t.Errorf("%s: %d %+v, want %q", body, status, out, code)
	}
	return out
}

func (a *asking) rules(policies string) {
	a.t.Helper()
	_, err := a.keeper.Set(a.t.Context(), a.portal, map[string][]byte{
		"s.cedarschema": []byte("entity file;\n@grade(\"read\") action read appliesTo { principal: Menshen::LiveSession, resource: file };\naction burn appliesTo { principal: Menshen::LiveSession, resource: file };"),
		"e.json":        []byte(`[{"uid":{"type":"file","id":"a"},"attrs":{},"parents":[]},{"uid":{"type":"file","id":"b"},"attrs":{},"parents":[]}]`),
		"p.cedar":       []byte(policies),
	}, "uid:0")
	a.must(err)
}

// A portal without rules of its own asks about itself: the answer is Menshen's
// own decision, as its proxy would get it.
func TestAPortalAsksAboutItself(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	for _, action := range []string{"read", "write"} {
		a.judged(a.session, "", action, "portal", a.portal.ID, "")
	}
	a.judged(a.session, `{"ip_address":"192.0.2.77"}`, "read", "portal", a.portal.ID, "")
	a.judged(a.session, `{"ip_address":"198.51.100.1"}`, "read", "portal", a.portal.ID, reason.NetworkUnproven)
	a.judged(a.session, `{"ip_address":"here"}`, "read", "portal", a.portal.ID, reason.NetworkUnproven)
	a.judged(a.session, `{"ip_address":5}`, "read", "portal", a.portal.ID, reason.NetworkUnproven)
	a.judged("ses-00000000000000000000000004", "", "read", "portal", a.portal.ID, reason.AppSession)
	a.judged(a.session, "", "burn", "portal", a.portal.ID, reason.AppUnknown)
	a.judged(a.session, "", "read", "portal", "por-0000000000000000000000000c", reason.AppUnknown)
	a.judged(a.session, "", "read", "file", "a", reason.AppNone)

	status, out := a.post("/access/v1/search/action", fmt.Sprintf(`{"subject":{"type":"menshen-session","id":%q},"resource":{"type":"portal","id":%q}}`, a.session, a.portal.ID))
	if status != http.StatusOK || len(out.Results) < 2 {
		t.Errorf("%d %+v", status, out)
	}
	for _, found := range out.Results {
		a.judged(a.session, "", found.Name, "portal", a.portal.ID, "")
	}

	_, err := a.names.QuarantineDevice(t.Context(), a.laptop.ID, "lost")
	a.must(err)
	a.judged(a.session, "", "read", "portal", a.portal.ID, reason.DeviceInQuarantine)
	a.must(a.pdp.sessions.Revoke(t.Context(), a.session))
	a.judged(a.session, "", "read", "portal", a.portal.ID, reason.AppSession)
}

// A session belongs to one portal: another's question does not find it.
func TestAPortalDoesNotAskAboutAnothersSession(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	var err error
	a.portal, _, err = a.names.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "別處", NameEN: "Elsewhere", Origin: "https://elsewhere.example", Sensitivity: wire.PortalNormal})
	a.must(err)
	a.judged(a.session, "", "read", "portal", a.portal.ID, reason.AppSession)
}

// Both must allow: an application narrows what Menshen's policy allows, and
// never widens it.
func TestAnApplicationOnlyNarrows(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.rules(`@id("all") permit (principal, action, resource) when { context.menshen.live && context.menshen.person.account == "wang.xm" && context.menshen.device.standing == "fresh" };
@id("not-b") forbid (principal, action, resource == file::"b");`)
	a.judged(a.session, "", "read", "file", "a", "")
	a.judged(a.session, "", "burn", "file", "a", "")
	a.judged(a.session, "", "read", "file", "b", reason.AppForbidden)
	a.judged(a.session, "", "read", "portal", a.portal.ID, "")
	a.judged("ses-00000000000000000000000004", "", "read", "file", "a", reason.AppSession)
	status, out := a.post("/access/v1/search/resource", fmt.Sprintf(`{"subject":{"type":"menshen-session","id":%q},"action":{"name":"read"},"resource":{"type":"file"}}`, a.session))
	if status != http.StatusOK || len(out.Results) != 1 || out.Results[0].ID != "a" {
		t.Errorf("%d %+v", status, out)
	}
	// The application permits everything; Menshen's policy knows better.
	a.rules(`@id("all") permit (principal, action, resource);`)
	_, err := a.names.QuarantineDevice(t.Context(), a.laptop.ID, "lost")
	a.must(err)
	a.judged(a.session, "", "read", "file", "a", reason.DeviceInQuarantine)
	_, err = a.names.ReleaseDevice(t.Context(), a.laptop.ID, "")
	a.must(err)
	a.judged(a.session, "", "read", "file", "a", "")
	// A device that is silent reads and does not write: the grade counts.
	a.mu.Lock()
	a.standings[a.laptop.ID] = wire.StandingSilent
	a.mu.Unlock()
	a.judged(a.session, "", "read", "file", "a", "")
	a.judged(a.session, "", "burn", "file", "a", reason.DeviceSilent)
}

// Rules are felt by the next question, also where they are gone or broken.
func TestAChangeOfRulesIsFeltByTheNextQuestion(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.rules(`@id("all") permit (principal, action, resource);`)
	a.judged(a.session, "", "read", "file", "a", "")
	a.rules(`@id("none") forbid (principal, action, resource);`)
	a.judged(a.session, "", "read", "file", "a", reason.AppForbidden)
	a.must(a.keeper.Remove(t.Context(), a.portal))
	a.judged(a.session, "", "read", "file", "a", reason.AppNone)
	a.rules(`@id("all") permit (principal, action, resource);`)
	var err error
	a.keeper, err = applications.New(t.Context(), applications.Config[*application.Application]{
		Store: a.store, Keep: time.Hour, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Load: func(map[string][]byte) (*application.Application, error) {
			return nil, errors.New("not by this program")
		},
	})
	a.must(err)
	a.server.Judge = &arbiter{applications: a.keeper, sessions: a.pdp.sessions}
	a.judged(a.session, "", "read", "file", "a", reason.AppBroken)
	a.judged(a.session, "", "read", "portal", a.portal.ID, "")
}

// A revocation that comes while the answer is being recorded is felt.
func TestAnEndWhileRecordingIsFelt(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.changed = func() { a.must(a.pdp.sessions.Revoke(t.Context(), a.session)) }
	status, out := a.post("/access/v1/evaluation", fmt.Sprintf(`{"subject":{"type":"menshen-session","id":%q},"action":{"name":"read"},"resource":{"type":"portal","id":%q}}`, a.session, a.portal.ID))
	if status != http.StatusServiceUnavailable || out.Decision {
		t.Errorf("%d %+v", status, out)
	}
}

// What cannot be read of where a client is, is no word that it is where its
// session was confirmed.
func TestAnAddressThatCannotBeReadIsOnNoNetwork(t *testing.T) {
	for properties, want := range map[string]netip.Addr{
		`{}`:                                    {},
		`{"IP_Address":"192.0.2.7"}`:            {},
		`{"ip_address":"192.0.2.7"}`:            netip.MustParseAddr("192.0.2.7"),
		`{"ip_address":null}`:                   netip.IPv6Unspecified(),
		`{"ip_address":"192.0.2.7, 192.0.2.8"}`: netip.IPv6Unspecified(),
		`{"ip_address":"192.0.2.7","ip_address":"198.51.100.1"}`: netip.IPv6Unspecified(),
		`{"ip_address":"192.0.2.7"`:                              netip.IPv6Unspecified(),
	} {
		if got := clientAddress([]byte(properties)); got != want {
			t.Errorf("%s: %v, not %v", properties, got, want)
		}
	}
}
