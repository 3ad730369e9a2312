package application

import (
	"maps"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Inquiry answers the questions of one request: they share their claims and
// what is known of the session, and differ in who does what to which. It is
// not safe for concurrent use.
type Inquiry struct {
	app      *Application
	question *wire.Question
	facts    types.Record
	known    bool // the facts are a session's
	last     *prepared
}

// prepared is the context for one action.
type prepared struct {
	action  *action
	context types.Record
	fault   *wire.Reason
}

// Open begins an inquiry. Facts are those of the live session that is asked
// about, nil for a subject of the application's own.
func (a *Application) Open(q *wire.Question, facts *wire.Facts, at time.Time) *Inquiry {
	i := &Inquiry{app: a, question: q, facts: a.absent}
	if facts != nil && a.asks {
		i.facts, i.known = sessionFacts(facts, at), true
	}
	return i
}

// Grade is as what Menshen's own access policy judges an action, a write where
// nothing says otherwise, and of which policy resource class.
func (a *Application) Grade(name string) (grade wire.Action, class string) {
	if act := a.actions[name]; act != nil {
		return act.grade, act.class
	}
	return wire.ActionWrite, ""
}

// Actions returns the names of the actions that a subject of that type can be
// asked to take on a resource of that type, ascending.
func (a *Application) Actions(subject, resource string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.actions)) {
		act := a.actions[name]
		if slices.Contains(act.principals, principal(subject)) && slices.Contains(act.resources, types.EntityType(resource)) {
			names = append(names, name)
		}
	}
	return names
}

// principal is a subject's type as policies see it.
func principal(kind string) types.EntityType {
	if kind == wire.SubjectSession {
		return sessionType
	}
	return types.EntityType(kind)
}

// Answer judges whether this subject may take this action on this resource, by
// their ids; their types, claims and context are the inquiry's. It never fails:
// what cannot be judged is denied.
func (i *Inquiry) Answer(subject, action, resource string) wire.Answer {
	p := i.prepare(action)
	if p == nil {
		return wire.Refused(reason.New(reason.AppUnknown, "what", "action "+clip(action)))
	}
	who := types.NewEntityUID(principal(i.question.Subject.Type), types.String(subject))
	what := types.NewEntityUID(types.EntityType(i.question.Resource.Type), types.String(resource))
	// A caller cannot name a session by the type that policies know: it would
	// not be looked up.
	if string(who.Type) == i.question.Subject.Type && who.Type == sessionType || !i.declared(p.action.principals, who) {
		return wire.Refused(reason.New(reason.AppUnknown, "what", "subject "+clip(i.question.Subject.Type)))
	}
	if !i.declared(p.action.resources, what) {
		return wire.Refused(reason.New(reason.AppUnknown, "what", "resource "+clip(i.question.Resource.Type)))
	}
	if p.fault != nil {
		return wire.Refused(*p.fault)
	}
	decision, diagnostic := cedar.Authorize(p.action, i.app.entities, cedar.Request{
		Principal: who, Action: p.action.uid, Resource: what, Context: p.context,
	})
	return p.action.answer(decision == types.Allow, &diagnostic)
}

// declared reports whether the schema has the action apply to such an entity.
func (i *Inquiry) declared(kinds []types.EntityType, uid types.EntityUID) bool {
	if !slices.Contains(kinds, uid.Type) {
		return false
	}
	values, enum := i.app.enums[uid.Type]
	return !enum || values[uid.ID]
}

// prepare returns the context for an action, nil for one that is not known.
func (i *Inquiry) prepare(name string) *prepared {
	act := i.app.actions[name]
	if act == nil {
		return nil
	}
	if i.last != nil && i.last.action == act {
		return i.last
	}
	p := &prepared{action: act}
	if act.silent != nil && i.silent() {
		p.context = *act.silent
		i.last = p
		return p
	}
	members := types.RecordMap{contextMenshen: i.facts}
	if act.claims != nil {
		claims, err := act.claims.read(i.question)
		if err != nil {
			fault := reason.New(reason.AppClaim, "detail", clip(err.Error()))
			p.fault = &fault
		}
		members[contextClaims] = claims
	}
	if p.fault == nil {
		p.context = types.NewRecord(members)
	}
	i.last = p
	return p
}

// prepareSilent makes the contexts that most questions have, once.
func (a *Application) prepareSilent() {
	for _, act := range a.actions {
		i := &Inquiry{app: a, question: new(wire.Question), facts: a.absent}
		if p := i.prepare(string(act.uid.ID)); p.fault == nil {
			act.silent = &p.context
		}
	}
}

// silent reports whether nothing is claimed and nothing known.
func (i *Inquiry) silent() bool {
	q := i.question
	return !i.known && q.Subject.Properties == nil && q.Action.Properties == nil && q.Resource.Properties == nil && q.Context == nil
}

// answer tells what Cedar found. A policy that errors is skipped by Cedar, a
// forbid too, so any error denies.
func (a *action) answer(allowed bool, d *cedar.Diagnostic) wire.Answer {
	out := wire.Answer{Allowed: allowed && len(d.Errors) == 0}
	for _, why := range d.Reasons {
		out.Policies = append(out.Policies, string(why.PolicyID))
	}
	slices.Sort(out.Policies)
	switch {
	case out.Allowed:
	case len(d.Errors) > 0:
		out.Policies = nil
		out.Reasons = []wire.Reason{reason.New(reason.AppFailed)}
	case len(d.Reasons) > 0:
		out.Reasons = []wire.Reason{reason.New(reason.AppForbidden)}
		out.Texts = a.texts(out.Policies)
	default:
		out.Reasons = []wire.Reason{reason.New(reason.AppNoPermit)}
	}
	return out
}

// texts are the words of the first forbid that has any.
func (a *action) texts(ids []string) map[string]string {
	for _, id := range ids {
		for i := range a.rules {
			if string(a.rules[i].id) == id && a.rules[i].texts != nil {
				return a.rules[i].texts
			}
		}
	}
	return nil
}

// clip bounds what a caller's own words take up in a message.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
