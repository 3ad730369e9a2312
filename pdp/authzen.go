package pdp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/applications"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/policy/application"
	"github.com/menshen-zt/menshen/pdp/session"
)

// arbiter answers applications' questions: about a live session by Menshen's own
// access policy and the application's rules, both of which must allow, and
// about anything else by the application's rules alone.
type arbiter struct {
	applications rulebook
	sessions     inquirer
}

// rulebook knows portals' rules; nil are none.
type rulebook interface {
	Of(portalID string) *rules
}

// rules are a portal's own.
type rules = applications.Kept[*application.Application]

// inquirer takes decisions about sessions by their ids.
type inquirer interface {
	Inquire(ctx context.Context, portalID, sessionID string, from netip.Addr, action wire.Action, class string) session.Inquired
}

// Hear implements authzen.Judge.
func (j *arbiter) Hear(portal *wire.Portal, at time.Time) authzen.Hearing {
	return &hearing{arbiter: j, portal: portal, at: at, known: map[asked]*session.Inquired{}}
}

// hearing is one request: a session is looked at once for each grade and class,
// and the application's rules do not change within it.
type hearing struct {
	*arbiter
	portal *wire.Portal
	at     time.Time
	own    *rules
	opened bool
	known  map[asked]*session.Inquired
	looks  []asked // the keys of known, in the order of the looks
}

// asked is what a session is asked for.
type asked struct {
	session string
	from    netip.Addr
	grade   wire.Action
	class   string
}

// Open implements authzen.Hearing.
func (h *hearing) Open(q *wire.Question) authzen.Inquiry {
	if !h.opened {
		h.own, h.opened = h.applications.Of(h.portal.ID), true
	}
	i := &inquiry{hearing: h, question: q}
	if q.Subject.Type == wire.SubjectSession {
		i.from = clientAddress(q.Subject.Properties)
	}
	return i
}

// clientAddress is where the session's client is, as its portal says: what a
// proxy's X-Real-IP is (AuthZEN 1.0, Subject Properties, IP Address). One that
// cannot be read is an address on no network.
func clientAddress(properties []byte) netip.Addr {
	var said struct {
		Address json.RawMessage `json:"ip_address"`
	}
	if properties == nil {
		return netip.Addr{}
	}
	if err := strictjson.UnmarshalOpen(properties, &said); err != nil {
		return netip.IPv6Unspecified()
	}
	if said.Address == nil {
		return netip.Addr{}
	}
	var text string
	if err := strictjson.Unmarshal(said.Address, &text); err != nil {
		return netip.IPv6Unspecified()
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	return address
}

// Inputs implements authzen.Hearing.
func (h *hearing) Inputs(in *wire.EvaluationInputs) {
	if h.own != nil {
		in.Rules, in.RulesBroken = h.own.Number, h.own.Broken
	}
	for _, key := range h.looks {
		seen, look := h.known[key], wire.Look{Session: key.session, Grade: key.grade, Class: key.class}
		if key.from.IsValid() {
			look.From = key.from.String()
		}
		if seen.Live {
			look.Decided = &seen.Inputs
		} else {
			look.Why = &seen.Why
		}
		in.Looks = append(in.Looks, look)
	}
}

// inquiry implements authzen.Inquiry.
type inquiry struct {
	*hearing
	question *wire.Question
	from     netip.Addr
	// rules is the application's own inquiry, with the facts of a look.
	rules *application.Inquiry
	with  *session.Inquired
	// used are the looks at the session that answers stand on.
	used []*session.Inquired
}

func (i *inquiry) ofSession() bool { return i.question.Subject.Type == wire.SubjectSession }
func (i *inquiry) ofPortal() bool {
	return i.ofSession() && i.question.Resource.Type == wire.ResourcePortal
}

// usable is the portal's application where there is one that can be asked.
func (i *inquiry) usable() *application.Application {
	if i.own == nil || i.own.Broken {
		return nil
	}
	return i.own.Loaded
}

// look takes Menshen's own decision about the session, once for each grade and
// class of a request.
func (i *inquiry) look(ctx context.Context, sessionID string, grade wire.Action, class string) *session.Inquired {
	key := asked{sessionID, i.from, grade, class}
	seen := i.known[key]
	if seen == nil {
		fresh := i.sessions.Inquire(ctx, i.portal.ID, sessionID, i.from, grade, class)
		seen = &fresh
		i.known[key] = seen
		i.looks = append(i.looks, key)
	}
	if !slices.Contains(i.used, seen) {
		i.used = append(i.used, seen)
	}
	return seen
}

// Answer implements authzen.Inquiry.
func (i *inquiry) Answer(ctx context.Context, subject, action, resource string) wire.Answer {
	if i.ofPortal() {
		return i.portalAnswer(ctx, subject, action, resource)
	}
	rules := i.usable()
	if rules == nil {
		code := reason.AppNone
		if i.own != nil {
			code = reason.AppBroken
		}
		return wire.Refused(reason.New(code))
	}
	if !i.ofSession() {
		return i.ask(rules, nil).Answer(subject, action, resource)
	}
	grade, class := rules.Grade(action)
	seen := i.look(ctx, subject, grade, class)
	if refused, ok := refusal(seen); ok {
		return refused
	}
	return i.ask(rules, seen).Answer(subject, action, resource)
}

// ask begins the application's own inquiry, or goes on with it: what is known of
// the session differs by the class that is asked for.
func (i *inquiry) ask(rules *application.Application, seen *session.Inquired) *application.Inquiry {
	if i.rules == nil || i.with != seen {
		var facts *wire.Facts
		if seen != nil {
			facts = &seen.Inputs.Facts
		}
		i.rules, i.with = rules.Open(i.question, facts, i.at), seen
	}
	return i.rules
}

// portalAnswer is Menshen's own decision about the portal itself.
func (i *inquiry) portalAnswer(ctx context.Context, subject, action, resource string) wire.Answer {
	grade := wire.Action(action)
	switch grade {
	case wire.ActionRead, wire.ActionWrite, wire.ActionAdmin:
	default:
		return wire.Refused(reason.New(reason.AppUnknown, "what", "action"))
	}
	if resource != i.portal.ID {
		return wire.Refused(reason.New(reason.AppUnknown, "what", "resource"))
	}
	seen := i.look(ctx, subject, grade, "")
	if refused, ok := refusal(seen); ok {
		return refused
	}
	return wire.Answer{Allowed: true, Policies: seen.Decision.Policies}
}

// refusal tells of a session that Menshen's own policy does not let do it.
func refusal(seen *session.Inquired) (wire.Answer, bool) {
	switch {
	case !seen.Live:
		if seen.Why.Code == reason.SessionNone {
			return wire.Refused(reason.New(reason.AppSession)), true
		}
		return wire.Refused(seen.Why), true
	case seen.Decision.Effect == wire.Allow:
		return wire.Answer{}, false
	}
	return wire.Answer{StepUp: seen.Decision.Effect == wire.StepUp, Reasons: seen.Decision.Reasons, Policies: seen.Decision.Policies}, true
}

// Subjects implements authzen.Inquiry. Live sessions are not listed: whoever
// may ask about one knows it.
func (i *inquiry) Subjects() []string {
	if rules := i.usable(); rules != nil {
		return rules.Candidates(i.question.Subject.Type)
	}
	return nil
}

// Resources implements authzen.Inquiry.
func (i *inquiry) Resources() []string {
	if i.ofPortal() {
		return []string{i.portal.ID}
	}
	if rules := i.usable(); rules != nil {
		return rules.Candidates(i.question.Resource.Type)
	}
	return nil
}

// Actions implements authzen.Inquiry.
func (i *inquiry) Actions() []string {
	if i.ofPortal() {
		return []string{string(wire.ActionAdmin), string(wire.ActionRead), string(wire.ActionWrite)}
	}
	if rules := i.usable(); rules != nil {
		return rules.Actions(i.question.Subject.Type, i.question.Resource.Type)
	}
	return nil
}

// Basis implements authzen.Inquiry.
func (i *inquiry) Basis() wire.EvaluationBasis {
	var b wire.EvaluationBasis
	if rules := i.usable(); rules != nil && !i.ofPortal() {
		b.Application = rules.Version()
	}
	for _, seen := range i.used {
		if seen.Live {
			b.Session, b.Person, b.Device = i.question.Subject.ID, seen.Inputs.Facts.Person.ID, seen.Inputs.Facts.Device.ID
			b.Policy = seen.Decision.PolicyVersion
		}
	}
	return b
}

// Stands implements authzen.Inquiry.
func (i *inquiry) Stands() bool {
	for _, seen := range i.used {
		if seen.Live && !seen.Stands() {
			return false
		}
	}
	return true
}

// portalsOf finds portals by their secrets, as the proxies' port remembers them.
type portalsOf struct{ *decision.Server }

// PortalOf implements authzen.Portals.
func (p portalsOf) PortalOf(ctx context.Context, secret string) (*wire.Portal, error) {
	portal, err := p.Portal(ctx, secret)
	if err != nil {
		return nil, err
	}
	return &portal.Portal, nil
}

// proxyHandler is everything on the proxies' port.
func (p *PDP) proxyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if authzen.Serves(r.URL.Path) {
			began := time.Now()
			p.authzen.ServeHTTP(w, r)
			p.operations.metrics.Evaluated(r.URL.Path, time.Since(began))
			return
		}
		p.proxies.ServeHTTP(w, r)
	})
}
