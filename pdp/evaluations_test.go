package pdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/store"
)

const someRules = `@id("all") permit (principal, action, resource) when { context.menshen.person.account == "wang.xm" };
@id("not-b") forbid (principal, action, resource == file::"b");`

// asks sends a request that is answered and returns its record's id.
func (a *asking) asks(path, body string) string {
	a.t.Helper()
	w, _ := a.send(path, body)
	id := w.Header().Get("Menshen-Decision")
	if w.Code != http.StatusOK || id == "" {
		a.t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	return id
}

func tuple(session, action, kind, id string) string {
	return fmt.Sprintf(`{"subject":{"type":"menshen-session","id":%q},"action":{"name":%q},"resource":{"type":%q,"id":%q}}`, session, action, kind, id)
}

const (
	pathOne = "/access/v1/evaluation"
	pathAll = "/access/v1/evaluations"
)

// everyKind asks in every way that there is and returns the records' ids.
func (a *asking) everyKind() map[string]string {
	a.t.Helper()
	portal, file := tuple(a.session, "write", "portal", a.portal.ID), tuple(a.session, "read", "file", "a")
	away := strings.Replace(portal, `"type":"menshen-session"`, `"type":"menshen-session","properties":{"ip_address":"198.51.100.1"}`, 1)
	return map[string]string{
		"the portal":        a.asks(pathOne, portal),
		"elsewhere":         a.asks(pathOne, away),
		"own rules":         a.asks(pathOne, file),
		"forbidden":         a.asks(pathOne, tuple(a.session, "read", "file", "b")),
		"no session":        a.asks(pathOne, tuple("ses-00000000000000000000000004", "read", "file", "a")),
		"an own subject":    a.asks(pathOne, `{"subject":{"type":"file","id":"a"},"action":{"name":"read"},"resource":{"type":"file","id":"a"}}`),
		"several":           a.asks(pathAll, `{"evaluations":[`+portal+`,`+file+`,{},`+tuple(a.session, "burn", "file", "b")+`]}`),
		"one denial is all": a.asks(pathAll, `{"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[`+away+`,`+file+`]}`),
		"on what":           a.asks("/access/v1/search/resource", tuple(a.session, "read", "file", "")),
		"do what":           a.asks("/access/v1/search/action", portal),
		"who":               a.asks("/access/v1/search/subject", `{"subject":{"type":"file"},"action":{"name":"read"},"resource":{"type":"file","id":"a"}}`),
		"pages":             a.asks("/access/v1/search/resource", `{"page":{"limit":0},`+tuple(a.session, "read", "file", "")[1:]),
	}
}

// Whatever changes afterwards, an application's request is answered again as it
// was: allowed and denied, of a session by the policy and by the application's
// own rules.
func TestEvaluationsReplayToTheSameBytes(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.rules(someRules)
	well := a.everyKind()
	_, err := a.names.QuarantineDevice(t.Context(), a.laptop.ID, "lost")
	a.must(err)
	sick := a.everyKind()
	a.must(a.pdp.sessions.Revoke(t.Context(), a.session))
	a.rules(`@id("none") forbid (principal, action, resource);`)
	a.must(a.keeper.Remove(t.Context(), a.portal))
	ended := a.everyKind()
	for when, all := range map[string]map[string]string{"well": well, "sick": sick, "ended": ended} {
		for what, id := range all {
			if r, err := a.history.Replay(t.Context(), id); err != nil || !r.Same || r.Why != nil {
				t.Errorf("%s, %s: %+v, %v\nrecorded %s\ncomputed %s", when, what, r.Why, err, r.Recorded, r.Computed)
			}
		}
	}
	r, err := a.history.Replay(t.Context(), well["several"])
	a.must(err)
	if !bytes.Contains(r.Computed, []byte(`"allowed":true`)) || !bytes.Contains(r.Computed, []byte(reason.AppForbidden)) || r.PolicyVersion == "" {
		t.Errorf("%+v\n%s", r, r.Computed)
	}
}

// A search's page is answered again from where it began.
func TestALaterPageReplays(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.rules(`@id("all") permit (principal, action, resource);`)
	body := `{"page":{"limit":1%s},` + tuple(a.session, "read", "file", "")[1:]
	w, _ := a.send("/access/v1/search/resource", fmt.Sprintf(body, ""))
	var first pageOf
	a.must(json.Unmarshal(w.Body.Bytes(), &first))
	second := a.asks("/access/v1/search/resource", fmt.Sprintf(body, `,"token":"`+*first.Page.NextToken+`"`))
	a.replays(second, "")
	if r, err := a.history.Replay(t.Context(), second); err != nil || !bytes.Contains(r.Computed, []byte(`"found":["b"]`)) {
		t.Errorf("%s, %v", r.Computed, err)
	}
}

// kept is what the log holds of a record.
func (a *asking) kept(id string) wire.AuditRecord {
	a.t.Helper()
	all, err := audit.Find(a.history.dir, id)
	if err != nil || len(all) != 1 {
		a.t.Fatal(len(all), err)
	}
	return all[0].Record
}

// changes writes a log in which one record is as change leaves it.
func (a *asking) changes(id string, change func(*wire.AuditRecord)) {
	a.t.Helper()
	r := a.kept(id)
	change(&r)
	dir := a.t.TempDir() + "/forged"
	log, err := audit.Open(dir, audit.Options{ReserveBytes: 64 << 10})
	a.must(err)
	_, err = log.Append(a.t.Context(), r)
	a.must(errors.Join(err, log.Close()))
	a.history.dir = dir
}

func TestReplayOfForgedEvaluations(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *asking, r *wire.AuditRecord)
		code   string
	}{
		"a flipped bit": {func(_ *asking, r *wire.AuditRecord) { r.Inputs.Box[40] ^= 1 }, reason.InputsForged},
		"a denial made an allow": {func(_ *asking, r *wire.AuditRecord) {
			r.Detail = bytes.Replace(r.Detail, []byte(`"allowed":false`), []byte(`"allowed":true`), 1)
		}, reason.ReplayDiffers},
		"another's answer": {func(_ *asking, r *wire.AuditRecord) {
			r.Detail = bytes.Replace(r.Detail, []byte(`file:b`), []byte(`file:a`), 1)
		}, reason.ReplayDiffers},
		"the inputs of another request, sealed anew": {func(a *asking, r *wire.AuditRecord) {
			sealed, err := evaluationInputs{a.pdp.inputs}.Seal(a.t.Context(), r.Agency, []string{r.Subject}, r.Decision, []byte(`{"endpoint":"`+pathOne+`"}`))
			a.must(err)
			r.Inputs = &sealed
		}, reason.InputsForged},
		"of another person": {func(_ *asking, r *wire.AuditRecord) { r.Subject = "per-other" }, reason.InputsErased},
		"of nobody":         {func(_ *asking, r *wire.AuditRecord) { r.Subject = "" }, reason.InputsErased},
		"no inputs":         {func(_ *asking, r *wire.AuditRecord) { r.Inputs = nil }, reason.InputsMissing},
		"no detail":         {func(_ *asking, r *wire.AuditRecord) { r.Detail = []byte(`{"basis":1}`) }, reason.InputsForged},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAsking(t, wire.PortalNormal)
			a.rules(someRules)
			id := a.asks(pathOne, tuple(a.session, "read", "file", "b"))
			a.changes(id, func(r *wire.AuditRecord) { c.change(a, r) })
			a.replays(id, c.code)
		})
	}
}

func TestReplayOfAnEvaluationWhoseRulesAreGone(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	a.rules(someRules)
	id := a.asks(pathOne, tuple(a.session, "read", "file", "a"))
	known := a.history.policyOf
	a.history.policyOf = func(context.Context, string) (policyJudge, error) { return nil, store.ErrNotFound }
	a.replays(id, reason.PolicyGone)
	w, err := adminDecisions{a.history, a.names}.Why(t.Context(), id)
	if err != nil || len(w.Evaluation.Looks) != 1 || w.Evaluation.Looks[0].Why == nil || w.Evaluation.Looks[0].Why.Code != reason.PolicyGone {
		t.Errorf("%+v, %v", w.Evaluation, err)
	}
	a.history.policyOf = known
	for range 20 {
		a.rules(someRules)
	}
	a.replays(id, reason.RulesGone)
	w, err = adminDecisions{a.history, a.names}.Why(t.Context(), id)
	if err != nil || w.Evaluation.InForce || len(w.Evaluation.Policies) != 1 || w.Evaluation.Policies[0].File != "" {
		t.Errorf("%+v, %v", w.Evaluation, err)
	}
	a.history.policyOf = func(context.Context, string) (policyJudge, error) { return nil, errors.New("store gone") }
	if _, err := a.history.Replay(t.Context(), id); err == nil {
		t.Error("answered without the policy")
	}
}

// Of a request about two persons, erasing either leaves nothing to read, and
// erasing neither all of it.
func TestErasingOneOfTwoPersonsErasesTheRequest(t *testing.T) {
	for name, erased := range map[string]func(a *asking) string{
		"nobody": func(*asking) string { return "" },
		"one":    func(a *asking) string { return a.person.ID },
		"other":  func(a *asking) string { return a.other.ID },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAsking(t, wire.PortalNormal)
			second := a.signsInOther()
			id := a.asks(pathAll, `{"evaluations":[`+tuple(a.session, "read", "portal", a.portal.ID)+`,`+tuple(second, "read", "portal", a.portal.ID)+`]}`)
			if r := a.kept(id); r.Subject != "" || r.Session != "" || !bytes.Contains(r.Detail, []byte(a.person.ID)) || !bytes.Contains(r.Detail, []byte(a.other.ID)) {
				t.Errorf("%+v %s", r, r.Detail)
			}
			person, code := erased(a), ""
			if person != "" {
				code = reason.InputsErased
				if n, err := (adminDecisions{a.history, a.names}).Erase(t.Context(), person); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
			a.replays(id, code)
		})
	}
}

// signsInOther is a session of the other person, on the same laptop.
func (a *asking) signsInOther() string {
	a.t.Helper()
	_, err := a.pdp.sessions.Create(a.t.Context(), a.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: a.other.ID, KeyID: a.key.ID, At: time.Now(), AAL: 3, UserVerified: true},
		Binding: wire.DeviceBinding{DeviceID: a.laptop.ID, At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true}, Portal: a.portal.ID,
	}, a.office, [32]byte{1})
	a.must(err)
	return a.pdp.sessions.Sessions(a.other.ID)[0].ID
}

// A request that is too long for its record is answered, and replay says why it
// cannot be again.
func TestReplayOfWhatWasTooLong(t *testing.T) {
	a := newAsking(t, wire.PortalNormal)
	noise := make([]byte, 60<<10)
	seed := uint32(1)
	for i := range noise {
		seed = seed*1664525 + 1013904223
		noise[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed>>26]
	}
	body := strings.Replace(tuple(a.session, "read", "portal", a.portal.ID), `"action"`, `"context":{"x":"`+string(noise)+`"},"action"`, 1)
	id := a.asks(pathOne, body)
	a.replays(id, reason.InputsTooLarge)
	w, err := adminDecisions{a.history, a.names}.Why(t.Context(), id)
	if err != nil || w.Inputs == nil || w.Inputs.Code != reason.InputsTooLarge || !w.Evaluation.Detail.Results[0].Allowed {
		t.Errorf("%+v, %v", w, err)
	}
	sessions := make([]string, maxOwners+1)
	for n := range sessions {
		sessions[n] = fmt.Sprint("per-", n)
	}
	if _, err := (evaluationInputs{a.pdp.inputs}).Seal(t.Context(), "moda", sessions, "dec-1", []byte("{}")); err == nil {
		t.Error("sealed for more persons than are opened")
	}
}

// TestOfficersAskWhyOfAWholePDP: an application asks over the network, an
// officer by the administrators' socket.
func TestOfficersAskWhyOfAWholePDP(t *testing.T) {
	f := startFlooded(t, func(*Config) {})
	officer := client.New(f.config.Admin.Socket, reason.English)
	_, err := officer.SetApplication(t.Context(), f.portal.ID, map[string]string{
		"s.cedarschema": "entity file;\n@grade(\"read\") @class(\"payroll\") action read appliesTo { principal: Menshen::LiveSession, resource: file };",
		"p.cedar":       "@id(\"ours\")\npermit (principal, action, resource) when { context.menshen.person.account == \"wang.xm\" };",
	})
	must(t, err)
	session := f.sessions.Sessions("")[0]
	own, portal := tuple(session.ID, "read", "file", "a"), tuple(session.ID, "read", "portal", f.portal.ID)
	id := f.evaluates(`{"evaluations":[` + own + `,` + portal + `,` + tuple(session.ID, "burn", "file", "a") + `]}`)
	_, metrics := f.get("/metrics")
	for _, line := range []string{
		`menshen_evaluations_total{effect="allow",kind="session"} 1`, `menshen_evaluations_total{effect="allow",kind="portal"} 1`, `menshen_evaluations_total{effect="deny",kind="session"} 1`,
		`menshen_evaluation_duration_seconds_count{endpoint="evaluations"} 1`, `menshen_signal_streams{status="enabled"} 0`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("no %q", line)
		}
	}
	r, err := officer.Replay(t.Context(), id)
	if err != nil || !r.Same || !bytes.Equal(r.Computed, r.Recorded) || r.PolicyVersion == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	w, err := officer.Why(t.Context(), id)
	must(t, err)
	if w.Portal.Name != "HR" || w.Inputs != nil || w.Decision.ID != id || w.Evaluation == nil {
		t.Fatalf("%+v", w)
	}
	e := w.Evaluation
	if got := e.Detail.Results; len(got) != 3 || !got[0].Allowed || !got[1].Allowed || got[2].Code != reason.AppUnknown {
		t.Errorf("%+v", got)
	}
	if !e.InForce || len(e.Policies) != 1 || e.Policies[0] != (client.PolicyPlace{ID: "ours", File: "p.cedar", Line: 1}) {
		t.Errorf("%+v", e.Policies)
	}
	if len(e.Looks) != 3 || e.Looks[0].Class != "payroll" || e.Looks[0].Person.Account != "wang.xm" || e.Looks[0].Device.Name != "LT-1" ||
		e.Looks[0].Decision.Effect != wire.Allow || len(e.Looks[0].Policies) == 0 || e.Looks[0].Policies[0].Line == 0 || !e.Looks[0].InForce {
		t.Errorf("%+v", e.Looks)
	}
	_, err = officer.ErasePerson(t.Context(), "moda", "wang.xm", client.Erasure{Reason: "request 114-0071"})
	must(t, err)
	if r, err := officer.Replay(t.Context(), id); err != nil || r.Same || r.Why.Code != reason.InputsErased {
		t.Errorf("%+v, %v", r, err)
	}
	if w, err := officer.Why(t.Context(), id); err != nil || w.Inputs.Code != reason.InputsErased || len(w.Evaluation.Looks) != 0 || len(w.Evaluation.Detail.Results) != 3 {
		t.Errorf("%+v, %v", w, err)
	}
}

// evaluates asks as the portal's application does, over the network.
func (f *flooded) evaluates(body string) string {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "https://"+f.config.Proxies.Listen+pathAll, strings.NewReader(body))
	must(f.t, err)
	r.Header.Set("Authorization", "Bearer "+f.secret)
	r.Header.Set("Content-Type", "application/json")
	answer, err := peer(1).Do(r)
	must(f.t, err)
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		f.t.Fatalf("%s %s, %v", answer.Status, raw, err)
	}
	return answer.Header.Get("Menshen-Decision")
}
