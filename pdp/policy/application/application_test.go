package application

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestClaimsAreReadByTheirDeclaredTypes(t *testing.T) {
	const schema = `
entity user;
entity thing;
type Claims = {
    subject: { level?: Long, tags?: Set<String>, home?: { city?: String } },
    resource: { owner: String },
    action: { at?: datetime, from?: ipaddr, ratio?: decimal, within?: duration },
    context: { loud?: Bool },
};
action use appliesTo { principal: user, resource: thing, context: { claims: Claims } };`
	rules := map[string][]byte{"s.cedarschema": []byte(schema)}
	ask := func(condition string, change func(q *wire.Question)) wire.Answer {
		rules["p.cedar"] = []byte(`@id("p") permit (principal, action, resource) when { ` + condition + ` };`)
		q := &wire.Question{
			Subject: wire.Asked{Type: "user", ID: "u"}, Action: wire.AskedAction{Name: "use"},
			Resource: wire.Asked{Type: "thing", ID: "t", Properties: []byte(`{"owner":"u","undeclared":[1]}`)},
		}
		change(q)
		return load(t, rules).ask(q, nil)
	}
	subject := func(raw string) func(*wire.Question) {
		return func(q *wire.Question) { q.Subject.Properties = []byte(raw) }
	}
	action := func(raw string) func(*wire.Question) {
		return func(q *wire.Question) { q.Action.Properties = []byte(raw) }
	}
	for _, c := range []struct {
		condition string
		change    func(*wire.Question)
	}{
		{`context.claims.resource.owner == "u"`, subject(`{}`)},
		{`context.claims.subject has level && context.claims.subject.level == 7`, subject(`{"level":7}`)},
		{`context.claims.subject has tags && context.claims.subject.tags.contains("a")`, subject(`{"tags":["b","a"]}`)},
		{`context.claims.subject has home && context.claims.subject.home has city && context.claims.subject.home.city == "台北"`, subject(`{"home":{"city":"台北","street":1}}`)},
		{`context.claims.action has at && context.claims.action.at < datetime("2027-01-01")`, action(`{"at":"2026-11-23T04:00:00Z"}`)},
		{`context.claims.action has from && context.claims.action.from.isInRange(ip("192.0.2.0/24"))`, action(`{"from":"192.0.2.9"}`)},
		{`context.claims.action has ratio && context.claims.action.ratio.lessThan(decimal("0.5"))`, action(`{"ratio":"0.25"}`)},
		{`context.claims.action has within && context.claims.action.within == duration("2h")`, action(`{"within":"120m"}`)},
		{`context.claims.context has loud && context.claims.context.loud`, func(q *wire.Question) { q.Context = []byte(`{"loud":true}`) }},
		{`!(context.claims.subject has level)`, subject(`{}`)},
	} {
		if a := ask(c.condition, c.change); !a.Allowed {
			t.Errorf("%s: %+v", c.condition, a)
		}
	}
	for name, change := range map[string]func(*wire.Question){
		"a number as text":     subject(`{"level":"7"}`),
		"a fraction":           subject(`{"level":7.5}`),
		"a number too large":   subject(`{"level":9223372036854775808}`),
		"a number with e":      subject(`{"level":1e2}`),
		"null":                 subject(`{"level":null}`),
		"a set of other":       subject(`{"tags":["a",1]}`),
		"a text for a set":     subject(`{"tags":"a"}`),
		"a text for a record":  subject(`{"home":"台北"}`),
		"a member within":      subject(`{"home":{"city":5}}`),
		"no date":              action(`{"at":"yesterday"}`),
		"no address":           action(`{"from":"here"}`),
		"no decimal":           action(`{"ratio":0.25}`),
		"no truth":             func(q *wire.Question) { q.Context = []byte(`{"loud":"true"}`) },
		"a needed one missing": func(q *wire.Question) { q.Resource.Properties = nil },
		"a claim said twice":   subject(`{"level":7,"level":8}`),
	} {
		if a := ask(`true`, change); a.Allowed || len(a.Reasons) != 1 || a.Reasons[0].Code != reason.AppClaim {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Whatever a caller claims, no entity's attribute is another afterwards.
func TestClaimsNeverReachAttributes(t *testing.T) {
	files := map[string][]byte{
		"s.cedarschema": []byte("entity user = { admin: Bool };\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { claims: { subject: { admin?: Bool } } } };"),
		"e.json":        []byte(`[{"uid":{"type":"user","id":"u"},"attrs":{"admin":false},"parents":[]}]`),
		"p.cedar":       []byte(`@id("p") permit (principal, action, resource) when { principal.admin };`),
	}
	a := load(t, files)
	for _, who := range []string{"u", "stranger"} {
		q := &wire.Question{
			Subject: wire.Asked{Type: "user", ID: who, Properties: []byte(`{"admin":true}`)}, Action: wire.AskedAction{Name: "use"},
			Resource: wire.Asked{Type: "thing", ID: "t"},
		}
		if got := a.ask(q, nil); got.Allowed {
			t.Errorf("%s: %+v", who, got)
		}
	}
}

// A policy that errors is skipped by Cedar, a forbid too.
func TestAnyErrorDenies(t *testing.T) {
	files := example(t)
	files["more.cedar"] = []byte(`@id("fails") forbid (principal, action == Action::"read", resource) when { resource.status == "closed" };`)
	a := load(t, files)
	if got := a.ask(question("alice", "read", "record-1"), nil); !got.Allowed {
		t.Errorf("a record that is known: %+v", got)
	}
	if got := a.ask(question("alice", "read", "record-404"), nil); got.Allowed || got.Reasons[0].Code != reason.AppFailed || got.Policies != nil {
		t.Errorf("a forbid that cannot be evaluated: %+v", got)
	}
}

func TestWhatTheSchemaDoesNotKnowIsDenied(t *testing.T) {
	a := load(t, example(t))
	for name, change := range map[string]func(*wire.Question){
		"subject type":       func(q *wire.Question) { q.Subject.Type = "robot" },
		"resource type":      func(q *wire.Question) { q.Resource.Type = "file" },
		"action":             func(q *wire.Question) { q.Action.Name = "burn" },
		"types exchanged":    func(q *wire.Question) { q.Subject.Type, q.Resource.Type = "record", "user" },
		"the policies' name": func(q *wire.Question) { q.Subject.Type = string(sessionType) },
	} {
		q := question("alice", "read", "record-1")
		change(q)
		if got := a.ask(q, nil); got.Allowed || got.Reasons[0].Code != reason.AppUnknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func healthy() *wire.Facts {
	f := &wire.Facts{
		Person: wire.Person{ID: "per-1", Agency: "moda", Account: "wang.xm", Groups: []string{"registry"}},
		Device: wire.Device{ID: "dev-1", Agency: "moda", Status: wire.DeviceActive},
		Standing: wire.DeviceStanding{DeviceID: "dev-1", Standing: wire.StandingFresh, Result: wire.AttestationResult{
			DeviceID: "dev-1", ValidUntil: noon.Add(time.Hour),
			Vector: wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming},
		}},
	}
	f.Binding.DeviceID = "dev-1"
	return f
}

func TestPoliciesSeeTheSession(t *testing.T) {
	a := load(t, example(t))
	q := question("ses-1", "read", "record-1")
	q.Subject.Type = wire.SubjectSession
	if got := a.ask(q, healthy()); !got.Allowed || !slices.Equal(got.Policies, []string{"sessions-read"}) {
		t.Errorf("a session in order: %+v", got)
	}
	for name, change := range map[string]func(*wire.Facts){
		"another group":  func(f *wire.Facts) { f.Person.Groups = []string{"hr"} },
		"another device": func(f *wire.Facts) { f.Standing.Result.DeviceID = "dev-2" },
		"a fault":        func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.Warning },
	} {
		f := healthy()
		change(f)
		if got := a.ask(q, f); got.Allowed {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := a.ask(q, nil); got.Allowed {
		t.Errorf("a session that nothing is known of: %+v", got)
	}
}

// Where no session is asked about, all that the PDP could know affirms nothing.
func TestAbsentFactsAffirmNothing(t *testing.T) {
	files := example(t)
	files["policies.cedar"] = []byte(`
@id("affirmed") permit (principal is user, action == Action::"read", resource) when {
    context.menshen.live || context.menshen.person.active || context.menshen.person.admin || context.menshen.person.id != ""
    || context.menshen.person.agency != "" || context.menshen.device.active || context.menshen.device.agency != ""
    || context.menshen.attestation.affirming || context.menshen.signIn.aal > 0 || context.menshen.signIn.ageSeconds < 900000000
    || context.menshen.trust.score > 0 || context.menshen.network.proven || context.menshen.claims.firewall == "pass"
    || context.menshen.host.known || context.menshen.device.standing != "stale" };
@id("always-there") permit (principal is user, action == Action::"write", resource) when { context.menshen.device.standing == "stale" && !context.menshen.live };`)
	a := load(t, files)
	if got := a.ask(question("alice", "read", "record-1"), nil); got.Allowed {
		t.Errorf("%+v", got)
	}
	if got := a.ask(question("alice", "write", "record-1"), nil); !got.Allowed {
		t.Errorf("the record is not there: %+v", got)
	}
}

// A name written with an escape is the same name: facts must not be left out.
func TestFactsAreSeenHoweverPoliciesSpellThem(t *testing.T) {
	files := example(t)
	files["policies.cedar"] = []byte(`@id("p") permit (principal is Menshen::LiveSession, action == Action::"read", resource) when { context["\u{6d}enshen"].live };`)
	q := question("ses-1", "read", "record-1")
	q.Subject.Type = wire.SubjectSession
	if got := load(t, files).ask(q, healthy()); !got.Allowed {
		t.Errorf("%+v", got)
	}
}

func TestGrades(t *testing.T) {
	files := example(t)
	files["schema.cedarschema"] = append(files["schema.cedarschema"], []byte(`
@grade("admin") @class("payroll") action audit appliesTo { principal: user, resource: record, context: { claims: Claims } };
action other appliesTo { principal: user, resource: record, context: { claims: Claims } };`)...)
	a := load(t, files)
	for name, want := range map[string][2]string{"read": {"read", ""}, "write": {"write", ""}, "audit": {"admin", "payroll"}, "other": {"write", ""}, "nothing": {"write", ""}} {
		if grade, class := a.Grade(name); string(grade) != want[0] || class != want[1] {
			t.Errorf("%s is graded %s, class %q", name, grade, class)
		}
	}
}

func TestCandidates(t *testing.T) {
	files := example(t)
	files["schema.cedarschema"] = append(files["schema.cedarschema"], []byte(`
entity colour enum ["red", "blue"];
action group;
action paint in [group] appliesTo { principal: user, resource: colour };`)...)
	files["more.cedar"] = []byte(`@id("painters") permit (principal == user::"bob", action in Action::"group", resource == colour::"red");`)
	a := load(t, files)
	for kind, want := range map[string][]string{"user": {"alice", "bob"}, "record": {"record-1", "record-2"}, "colour": {"blue", "red"}, "spaceship": nil, string(sessionType): nil, "Action": nil} {
		if got := a.Candidates(kind); !slices.Equal(got, want) {
			t.Errorf("%s: %q", kind, got)
		}
	}
	if got := a.Actions("user", "record"); !slices.Equal(got, []string{"delete", "read", "write"}) {
		t.Errorf("%q", got)
	}
	if got := a.Actions(wire.SubjectSession, "record"); !slices.Equal(got, []string{"delete", "read", "write"}) {
		t.Errorf("of a session: %q", got)
	}
	if got := a.Actions("user", "colour"); !slices.Equal(got, []string{"paint"}) {
		t.Errorf("of colours: %q", got)
	}
	paint := question("bob", "paint", "red")
	paint.Resource.Type = "colour"
	if got := a.ask(paint, nil); !got.Allowed {
		t.Errorf("an action of a group: %+v", got)
	}
	paint.Resource.ID = "green"
	if got := a.ask(paint, nil); got.Allowed || got.Reasons[0].Code != reason.AppUnknown {
		t.Errorf("a colour that there is not: %+v", got)
	}
	if a.Entities() != 4 || a.Policies() != 7 {
		t.Errorf("%d entities, %d policies", a.Entities(), a.Policies())
	}
}

func TestVersionCoversNamesAndContents(t *testing.T) {
	files := example(t)
	first := load(t, files).Version()
	if again := load(t, maps.Clone(files)).Version(); again != first {
		t.Error("the same files have two versions")
	}
	renamed := maps.Clone(files)
	renamed["other.cedar"] = renamed["policies.cedar"]
	delete(renamed, "policies.cedar")
	changed := maps.Clone(files)
	changed["entities.json"] = append([]byte("\n"), changed["entities.json"]...)
	for _, other := range []map[string][]byte{renamed, changed} {
		if load(t, other).Version() == first {
			t.Error("other files have the same version")
		}
	}
}
