package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func TestOtherUsersAreRefusedAndRecorded(t *testing.T) {
	f := open(t)
	stranger := f.as(t, nobodyUID)
	for range 3 {
		answer, err := stranger.Get("http://menshen/v1/status")
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden || !strings.Contains(string(raw), reason.CfgNotPermitted) {
			t.Errorf("%d %s", answer.StatusCode, raw)
		}
	}
	acts := f.audit.acts(t)
	if len(acts) != 1 || acts[0].Outcome != outcomeRefused || acts[0].By != "uid:65534" || acts[0].Times != 1 {
		t.Errorf("recorded %+v", acts)
	}
	f.now = f.now.Add(time.Minute)
	answer, err := stranger.Get("http://menshen/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if acts = f.audit.acts(t); len(acts) != 2 || acts[1].Times != 3 {
		t.Errorf("recorded %+v", acts)
	}
}

func TestConfiguredUsersAreServed(t *testing.T) {
	f := open(t, nobodyUID)
	answer, err := f.as(t, nobodyUID).Get("http://menshen/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestAConnectionWithoutAKnownUserIsRefused(t *testing.T) {
	f := open(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := f.Server()
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	answer, err := http.Get("http://" + listener.Addr().String() + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d over TCP", answer.StatusCode)
	}
}

func TestTheSocket(t *testing.T) {
	path := socketPath(t)
	first, err := Listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if _, err := Listen(path, false); err == nil {
		t.Error("a socket that answers was taken over")
	}
	first.SetUnlinkOnClose(false) // as after kill -9
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Listen(path, true)
	if err != nil {
		t.Fatal("a socket left behind stops the start:", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, false); err == nil {
		t.Error("a file was replaced")
	}
}

func (f *fixture) populate(t *testing.T) (wire.Person, wire.Device) {
	t.Helper()
	ctx := t.Context()
	if _, err := f.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}); err != nil {
		t.Fatal(err)
	}
	p, err := f.CreatePerson(ctx, "moda", client.NewPerson{Name: "王小明", Account: "wang.xm", Groups: []string{"hr"}})
	if err != nil {
		t.Fatal(err)
	}
	d := wire.Device{
		ID: "dev-00000000000000000000000004", Agency: "moda", Name: "LT-1", Status: wire.DevicePending, Provenance: wire.ProvenanceTPMUnendorsed,
		EKDigest: make([]byte, 32), AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: make([]byte, 32),
	}
	if err := f.dir.AddDevice(ctx, d, "", nil, nil); err != nil {
		t.Fatal(err)
	}
	return p, d
}

func TestEveryNoun(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	p, d := f.populate(t)

	agencies, err := f.Agencies(ctx)
	if err != nil || len(agencies) != 1 || agencies[0].NameZH != "數位發展部" {
		t.Error(agencies, err)
	}
	people, err := f.People(ctx, "moda")
	if err != nil || len(people) != 1 || people[0].ID != p.ID || people[0].Handle != nil {
		t.Errorf("%+v %v", people, err)
	}
	for _, name := range []string{"wang.xm", p.ID} {
		got, err := f.Person(ctx, "moda", name)
		if err != nil || got.Person.ID != p.ID || got.Person.Handle != nil {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if got, err := f.SetDisabled(ctx, "moda", "wang.xm", true); err != nil || !got.Disabled {
		t.Error(got, err)
	}
	if got, err := f.SetDisabled(ctx, "", p.ID, false); err != nil || got.Disabled {
		t.Error(got, err)
	}
	if got, err := f.Link(ctx, "moda", "wang.xm", client.NewLink{LifeSeconds: 3600}); err != nil || !strings.HasSuffix(got.URL, p.ID) {
		t.Error(got, err)
	}
	k, err := f.dir.AddKey(ctx, wire.SecurityKey{PersonID: p.ID, CredentialID: make([]byte, 32), PublicKey: []byte{1}, AAGUID: make([]byte, 16), Nickname: "a", Model: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.RevokeKey(ctx, k.ID); err != nil || !got.Revoked {
		t.Error(got, err)
	}
	created, err := f.CreatePortal(ctx, "moda", client.NewPortal{NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil || len(created.Secret) != 43 || created.Portal.SecretHash != nil {
		t.Error(created, err)
	}
	if got, err := f.Portals(ctx, "moda"); err != nil || len(got) != 1 || got[0].SecretHash != nil {
		t.Error(got, err)
	}
	if got, err := f.IssueCode(ctx, "moda", client.NewCode{DeviceName: "LT-2", LifeSeconds: 60}); err != nil || got.Code == "" || f.others.by != "uid:0" {
		t.Error(got, err, f.others.by)
	}
	if got, err := f.Devices(ctx, "moda"); err != nil || len(got) != 1 || got[0].Standing.Result.Claims != nil {
		t.Error(got, err)
	}
	if got, err := f.Device(ctx, "moda", "LT-1"); err != nil || got.Device.ID != d.ID || len(got.Standing.Result.Claims) != 1 {
		t.Error(got, err)
	}
	if got, err := f.ApproveDevice(ctx, "moda", "lt-1"); err != nil || got.Status != wire.DeviceActive {
		t.Error(got, err)
	}
	if got, err := f.RetireDevice(ctx, "", d.ID); err != nil || got.Status != wire.DeviceRetired {
		t.Error(got, err)
	}
	if got, err := f.Sessions(ctx, p.ID); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
	if got, err := f.RevokeSession(ctx, sessionID); err != nil || got.Sessions != 1 {
		t.Error(got, err)
	}
	if got, err := f.RevokePerson(ctx, "moda", "wang.xm"); err != nil || got.Sessions != 2 {
		t.Error(got, err)
	}
	if got, err := f.Decision(ctx, decisionID); err != nil || len(got) != 1 || got[0].Sequence != 7 || string(got[0].Detail) != `{"effect":"deny"}` {
		t.Error(got, err)
	}
	if got, err := f.Policy(ctx); err != nil || got.Version != "1" {
		t.Error(got, err)
	}
	if got, err := f.CheckPolicy(ctx, nil); err != nil || got.Problem == "" {
		t.Error(got, err)
	}
	if got, err := f.Status(ctx); err != nil || !got.Healthy {
		t.Error(got, err)
	}
}

func TestEveryChangeIsRecordedBeforeAndAfter(t *testing.T) {
	f := open(t)
	p, d := f.populate(t)
	ctx := t.Context()
	for action, do := range map[string]func() error{
		"agency create": func() error {
			_, err := f.CreateAgency(ctx, wire.Agency{ID: "nstc", NameZH: "國", NameEN: "N"})
			return err
		},
		"person create": func() error {
			_, err := f.CreatePerson(ctx, "moda", client.NewPerson{Name: "李", Account: "li"})
			return err
		},
		"person disable": func() error { _, err := f.SetDisabled(ctx, "", p.ID, true); return err },
		"person enable":  func() error { _, err := f.SetDisabled(ctx, "", p.ID, false); return err },
		"person link":    func() error { _, err := f.Link(ctx, "", p.ID, client.NewLink{LifeSeconds: 60}); return err },
		"portal create": func() error {
			_, err := f.CreatePortal(ctx, "moda", client.NewPortal{NameZH: "人", NameEN: "H", Origin: "https://h.example", Sensitivity: wire.PortalNormal})
			return err
		},
		"device code": func() error {
			_, err := f.IssueCode(ctx, "moda", client.NewCode{DeviceName: "x", LifeSeconds: 60})
			return err
		},
		"device approve": func() error { _, err := f.ApproveDevice(ctx, "", d.ID); return err },
		"session revoke": func() error { _, err := f.RevokeSession(ctx, sessionID); return err },
	} {
		before := len(f.audit.acts(t))
		if err := do(); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		acts := f.audit.acts(t)[before:]
		if len(acts) != 2 || acts[0].Outcome != outcomeAsked || acts[1].Outcome != outcomeDone || acts[0].Action != action || acts[1].By != "uid:0" || acts[1].PID == 0 {
			t.Errorf("%s: recorded %+v", action, acts)
		}
	}
	raw, err := json.Marshal(f.audit.records)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.audit.records {
		raw = append(raw, r.Detail...)
	}
	if strings.Contains(string(raw), "secret") {
		t.Error("a secret is recorded")
	}
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	f := open(t)
	p, _ := f.populate(t)
	f.audit.room = len(f.audit.records)
	_, err := f.SetDisabled(t.Context(), "", p.ID, true)
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
	if got, _ := f.dir.Person(t.Context(), p.ID); got.Disabled {
		t.Error("done without a record")
	}
	f.audit.room++ // the change is recorded, its outcome is not
	_, err = f.SetDisabled(t.Context(), "", p.ID, true)
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)

	stranger := f.as(t, nobodyUID)
	answer, err := stranger.Get("http://menshen/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestRefusalsAreToldByWhatTheyAre(t *testing.T) {
	f := open(t)
	p, d := f.populate(t)
	ctx := context.Background()
	for name, c := range map[string]struct {
		status int
		code   string
		do     func() error
	}{
		"agency exists": {409, reason.CfgExists, func() error {
			_, err := f.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數", NameEN: "D"})
			return err
		}},
		"agency id": {400, reason.CfgAgencyID, func() error {
			_, err := f.CreateAgency(ctx, wire.Agency{ID: "M/", NameZH: "數", NameEN: "D"})
			return err
		}},
		"no agency":        {404, reason.CfgNotFound, func() error { _, err := f.People(ctx, "none"); return err }},
		"agency in a path": {404, reason.CfgNotFound, func() error { _, err := f.Portals(ctx, "../moda"); return err }},
		"person's agency":  {404, reason.CfgNotFound, func() error { _, err := f.CreatePerson(ctx, "none", client.NewPerson{}); return err }},
		"account exists": {409, reason.CfgExists, func() error {
			_, err := f.CreatePerson(ctx, "moda", client.NewPerson{Name: "王", Account: "wang.xm"})
			return err
		}},
		"no person":         {404, reason.CfgNotFound, func() error { _, err := f.Person(ctx, "moda", "nobody"); return err }},
		"person, no agency": {404, reason.CfgNotFound, func() error { _, err := f.Person(ctx, "", "wang.xm"); return err }},
		"link's life":       {400, reason.CfgLife, func() error { _, err := f.Link(ctx, "", p.ID, client.NewLink{LifeSeconds: 1 << 60}); return err }},
		"code's life":       {400, reason.CfgLife, func() error { _, err := f.IssueCode(ctx, "moda", client.NewCode{DeviceName: "x"}); return err }},
		"no key":            {404, reason.CfgNotFound, func() error { _, err := f.RevokeKey(ctx, "key-1"); return err }},
		"no device":         {404, reason.CfgNotFound, func() error { _, err := f.Device(ctx, "moda", "LT-9"); return err }},
		"no session":        {404, reason.CfgNotFound, func() error { _, err := f.RevokeSession(ctx, "ses-00000000000000000000000008"); return err }},
		"session id":        {404, reason.CfgNotFound, func() error { _, err := f.RevokeSession(ctx, "x"); return err }},
		"sessions of":       {404, reason.CfgNotFound, func() error { _, err := f.Sessions(ctx, "x"); return err }},
		"no decision":       {404, reason.CfgNotFound, func() error { _, err := f.Decision(ctx, "dec-00000000000000000000000008"); return err }},
		"sensitivity": {400, reason.CfgSensitivity, func() error {
			_, err := f.CreatePortal(ctx, "moda", client.NewPortal{NameZH: "人", NameEN: "H", Origin: "https://h.example"})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, c.do(), c.status, c.code) })
	}
	if _, err := f.ApproveDevice(ctx, "", d.ID); err != nil {
		t.Fatal(err)
	}
	_, err := f.ApproveDevice(ctx, "", d.ID)
	refusedWith(t, err, http.StatusConflict, reason.CfgState)
	acts := f.audit.acts(t)
	if last := acts[len(acts)-1]; last.Outcome != outcomeFailed || last.Why == "" {
		t.Errorf("recorded %+v", last)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	f := open(t)
	f.populate(t)
	before := len(f.audit.acts(t))
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/agencies", `{"id":"x1","name_zh":"a","name_en":"b","owner":"me"}`, 400},
		{"POST", "/v1/agencies", `{"id":"x1"} {}`, 400},
		{"POST", "/v1/agencies", strings.Repeat(" ", maxBody+1), 413},
		{"POST", "/v1/people/wang.xm/disable?agency=moda", `{"x":1}`, 400},
		{"POST", "/v1/people/wang.xm/promote?agency=moda", `{}`, 404},
		{"DELETE", "/v1/agencies", ``, 404},
		{"GET", "/v1/nothing", ``, 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://menshen"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := f.as(t, 0).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != c.status || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", c.method, c.path, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
	}
	if diff := cmp.Diff(before, len(f.audit.acts(t))); diff != "" {
		t.Error("recorded: ", diff)
	}
}

func TestProblemsAreInTheReadersLanguage(t *testing.T) {
	f := open(t)
	_, err := client.New(f.socket, reason.Chinese).People(t.Context(), "none")
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	var p *client.Problem
	if !errors.As(err, &p) || p.Document.Title != "查無資料" {
		t.Errorf("error %v", err)
	}
}

func TestASocketThatIsNotThere(t *testing.T) {
	_, err := client.New(socketPath(t), reason.English).Status(t.Context())
	var p *client.Problem
	if !errors.As(err, &p) || !p.Unreachable() || p.Why.Code != reason.CfgNoSocket {
		t.Errorf("error %v", err)
	}
}

func TestRefusedUsersAreBounded(t *testing.T) {
	f := refusals{users: map[uint32]*refusedUser{}}
	now := time.Unix(1000, 0)
	for uid := range uint32(mostRefused + 10) {
		f.due(uid, now)
	}
	if len(f.users) != mostRefused {
		t.Errorf("%d users", len(f.users))
	}
	if f.due(9999, now.Add(2*refusalEvery)) != 1 || len(f.users) != 1 {
		t.Errorf("%d users after a while", len(f.users))
	}
}
