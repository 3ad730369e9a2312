package application

import (
	"sync"
	"time"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
)

// Members of context.menshen beside those of the published Session.
const (
	factLive   = types.String("live")
	factPerson = types.String("person")
)

// publishedSession is the context type of Menshen's own schema.
var publishedSession = sync.OnceValue(func() resolved.RecordType {
	var s schema.Schema
	if err := s.UnmarshalCedar(policy.Schema()); err != nil {
		panic(err) // embedded at build time
	}
	whole, err := s.Resolve()
	if err != nil {
		panic(err)
	}
	return whole.Actions[types.NewEntityUID("Action", "read")].AppliesTo.Context
})

// menshenType is the type of context.menshen. Entities become text: their types
// are Menshen's, and an application's own may have the same names.
func menshenType() resolved.RecordType {
	text, truth := resolved.Attribute{Type: resolved.StringType{}}, resolved.Attribute{Type: resolved.BoolType{}}
	t := resolved.RecordType{
		factLive: truth,
		factPerson: {Type: resolved.RecordType{
			"id": text, "account": text, "agency": text, "active": truth, "admin": truth,
			"groups": {Type: resolved.SetType{Element: resolved.StringType{}}},
		}},
	}
	for name, attribute := range publishedSession() {
		t[name] = plainAttribute(attribute)
	}
	return t
}

func plainAttribute(a resolved.Attribute) resolved.Attribute {
	return resolved.Attribute{Type: plainType(a.Type), Optional: a.Optional}
}

func plainType(t resolved.IsType) resolved.IsType {
	switch t := t.(type) {
	case resolved.EntityType:
		return resolved.StringType{}
	case resolved.SetType:
		return resolved.SetType{Element: plainType(t.Element)}
	case resolved.RecordType:
		plain := make(resolved.RecordType, len(t))
		for name, attribute := range t {
			plain[name] = plainAttribute(attribute)
		}
		return plain
	default:
		return t
	}
}

// plainValue is a value of plainType's type. A record without an entity is
// itself: making it anew would cost more than all else.
func plainValue(v types.Value) (plain types.Value, changed bool) {
	switch v := v.(type) {
	case types.EntityUID:
		return v.ID, true
	case types.Set:
		all := make([]types.Value, 0, v.Len())
		for element := range v.All() {
			one, other := plainValue(element)
			all, changed = append(all, one), changed || other
		}
		if changed {
			return types.NewSet(all...), true
		}
	case types.Record:
		if !entityWithin(v) {
			return v, false
		}
		return types.NewRecord(plainMembers(v)), true
	}
	return v, false
}

func entityWithin(r types.Record) bool {
	for value := range r.Values() {
		switch value.(type) {
		case types.EntityUID, types.Set, types.Record:
			if _, changed := plainValue(value); changed {
				return true
			}
		}
	}
	return false
}

func plainMembers(r types.Record) types.RecordMap {
	plain := make(types.RecordMap, r.Len()+2)
	for name, value := range r.All() {
		plain[name], _ = plainValue(value)
	}
	return plain
}

// sessionFacts is context.menshen for a session that is live.
func sessionFacts(f *wire.Facts, at time.Time) types.Record { return facts(f, at, true) }

// absentFacts is context.menshen where there is no session: every value
// affirms nothing.
func absentFacts() types.Record { return facts(new(wire.Facts), time.Time{}, false) }

func facts(f *wire.Facts, at time.Time, live bool) types.Record {
	all := plainMembers(policy.SessionContext(f, at))
	all[factLive], all[factPerson] = types.Boolean(live), person(&f.Person)
	return types.NewRecord(all)
}

func person(p *wire.Person) types.Record {
	groups := make([]types.Value, len(p.Groups))
	for i, g := range p.Groups {
		groups[i] = types.String(g)
	}
	return types.NewRecord(types.RecordMap{
		"id": types.String(p.ID), "account": types.String(p.Account), "agency": types.String(p.Agency),
		"active": types.Boolean(p.ID != "" && p.Agency != "" && !p.Disabled), "admin": types.Boolean(p.Admin),
		"groups": types.NewSet(groups...),
	})
}
