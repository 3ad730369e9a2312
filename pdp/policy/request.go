package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

func actionUID(a wire.Action) types.EntityUID {
	return types.NewEntityUID("Action", types.String(a))
}

// request is one session's facts as Cedar sees them.
type request struct {
	person, portal types.Entity
	context        types.Record
}

// Get implements cedar.EntityGetter over the two entities of a request.
func (r *request) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case r.person.UID:
		return r.person, true
	case r.portal.UID:
		return r.portal, true
	}
	return types.Entity{}, false
}

func (r *request) cedar(a wire.Action) cedar.Request {
	return cedar.Request{Principal: r.person.UID, Action: actionUID(a), Resource: r.portal.UID, Context: r.context}
}

func agency(id string) types.EntityUID { return types.NewEntityUID("Agency", types.String(id)) }

// groups are what a person is in, the agency first.
func groups(p *wire.Person) []types.EntityUID {
	all := make([]types.EntityUID, 0, 1+len(p.Groups))
	all = append(all, agency(p.Agency))
	for _, g := range p.Groups {
		all = append(all, types.NewEntityUID("Group", types.String(p.Agency+"/"+g)))
	}
	return all
}

// view is how a policy set sees facts: of the schema only what its policies
// read is built, and what was built once is kept. What moves with time is seen
// as the policies tell it apart. Nothing of this changes an answer.
type view struct {
	reads reads
	times *thresholds // nil where everything that moves is seen as it is
	sees  seen

	signIns      memo[signInKey]
	devices      memo[deviceKey]
	hosts        memo[hostKey]
	attestations memo[attestationKey]
	claims       memo[claimsKey]
	bindings     memo[bindingKey]
	trusts       memo[trustKey]
	networks     memo[networkKey]
	requests     memo[types.String]
	risks        memo[riskKey]
	clocks       memo[clockKey]
	contexts     memo[contextKey]
	people       memo[personKey]
	portals      memo[portalKey]
}

// contextKey names the sections of a context, in the order of sections.
type contextKey [11]*types.Value

var sections = [len(contextKey{})]types.String{
	"signIn", "device", "host", "attestation", "claims", "binding", "trust", "network", "request", "risk", "time",
}

// seen is what of the schema is read, as far as it is asked for each time.
type seen struct {
	sections                         [len(sections)]bool
	claims                           [len(claims)]bool
	address, group, origin, coverage bool
}

// newView returns how policies that read this see facts.
func newView(r reads, times *thresholds) *view {
	v := &view{reads: r, times: times}
	if r.restless {
		v.times = nil
	}
	for i, section := range sections {
		v.sees.sections[i] = r.section(string(section))
	}
	for i, c := range claims {
		v.sees.claims[i] = r.attribute("claims." + string(c.name))
	}
	v.sees.address, v.sees.group = r.attribute("network.address"), r.attribute("device.group")
	v.sees.origin, v.sees.coverage = r.attribute("resource.origin"), r.attribute("trust.coverage")
	return v
}

// newRequest sees everything as it is.
func newRequest(f *wire.Facts, at time.Time) *request {
	return newView(everything(), nil).request(f, at)
}

func (v *view) request(f *wire.Facts, at time.Time) *request {
	return &request{person: v.person(&f.Person), portal: v.portal(&f.Portal), context: v.context(f, at)}
}

func (v *view) context(f *wire.Facts, at time.Time) types.Record {
	var key contextKey
	for i := range sections {
		if v.sees.sections[i] {
			key[i] = v.section(i, f, at)
		}
	}
	return (*v.contexts.get(key, v.join)).(types.Record)
}

func (v *view) join(key contextKey) types.Record {
	all := make(types.RecordMap, len(key))
	for i, section := range key {
		if section != nil {
			all[sections[i]] = *section
		}
	}
	return types.NewRecord(all)
}

// record leaves out what is not read.
func (v *view) record(section string, all types.RecordMap) types.Record {
	for name := range all {
		if !v.reads.attribute(section + "." + string(name)) {
			delete(all, name)
		}
	}
	return types.NewRecord(all)
}

type personKey struct {
	agency        string
	active, admin bool
}

func (v *view) person(p *wire.Person) types.Entity {
	key := personKey{agency: p.Agency, active: p.ID != "" && p.Agency != "" && !p.Disabled, admin: p.Admin}
	attributes := v.people.get(key, func(key personKey) types.Record {
		return v.record("principal", types.RecordMap{
			"agency": agency(key.agency), "active": types.Boolean(key.active), "admin": types.Boolean(key.admin),
		})
	})
	one := types.Entity{UID: types.NewEntityUID("Person", types.String(p.ID)), Attributes: (*attributes).(types.Record)}
	if v.reads.kin {
		one.Parents = types.NewEntityUIDSet(groups(p)...)
	}
	return one
}

type portalKey struct {
	agency      string
	sensitivity wire.Sensitivity
	origin      string
}

func (v *view) portal(p *wire.Portal) types.Entity {
	key := portalKey{agency: p.Agency, sensitivity: wire.PortalSensitive, origin: p.Origin} // sensitive is anything but normal (wire.Sensitivity)
	if p.Sensitivity == wire.PortalNormal {
		key.sensitivity = wire.PortalNormal
	}
	if !v.sees.origin {
		key.origin = ""
	}
	attributes := v.portals.get(key, func(key portalKey) types.Record {
		return v.record("resource", types.RecordMap{
			"agency": agency(key.agency), "sensitivity": types.String(key.sensitivity), "origin": types.String(key.origin),
		})
	})
	one := types.Entity{UID: types.NewEntityUID("Portal", types.String(p.ID)), Attributes: (*attributes).(types.Record)}
	if v.reads.kin {
		one.Parents = types.NewEntityUIDSet(agency(p.Agency))
	}
	return one
}
