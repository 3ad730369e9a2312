package pdp

import (
	"context"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/session"
)

// What administration sees of parts that do not know it.

type adminSessions struct {
	*session.Manager
	names *directory.Directory
}

// Sessions implements admin.Sessions.
func (s adminSessions) Sessions(personID string) []client.Session {
	var all []client.Session
	for _, i := range s.Manager.Sessions(personID) {
		all = append(all, client.Session(i))
	}
	return all
}

// Revoke ends one session, and all sign-ins of its person: with the PDP's own
// session left standing, the next navigation would open another without a touch.
func (s adminSessions) Revoke(ctx context.Context, sessionID string) error {
	for _, i := range s.Manager.Sessions("") {
		if i.ID == sessionID {
			if _, err := s.names.SignOut(ctx, i.Person); err != nil {
				return err
			}
		}
	}
	return s.Manager.Revoke(ctx, sessionID)
}

// RevokePerson ends all sessions and sign-ins of a person.
func (s adminSessions) RevokePerson(ctx context.Context, personID string) (int, error) {
	if _, err := s.names.SignOut(ctx, personID); err != nil {
		return 0, err
	}
	return s.Manager.RevokePerson(ctx, personID)
}

// status tells administrators how the PDP is.
func (p *PDP) status(context.Context) client.Status {
	_, policies := p.policyInForce()
	open, nameless := p.proxies.Connections()
	s := client.Status{
		Version: p.version, StartedAt: p.started.UTC(), Healthy: true,
		Devices: p.appraisal.Counts(), Sessions: len(p.sessions.Sessions("")),
		Counters: map[string]uint64{
			"audit_durable_sequence": p.state.log.Durable(),
			"enrolment_strangers":    p.enrolment.Strangers(),
			"agents_port_strangers":  p.agents.Strangers(),
			"connections_open":       uint64(open), // #nosec G115 -- a count
			"connections_nameless":   nameless,
			"plugins_registered":     uint64(len(p.config.Plugins.Run)),
			"policies":               uint64(policies),                            // #nosec G115 -- a count
			"uptime_seconds":         uint64(time.Since(p.started) / time.Second), // #nosec G115 -- never negative
		},
	}
	if !p.state.log.Writable() {
		s.Healthy, s.Problems = false, append(s.Problems, reason.New(reason.AuditClosed))
	}
	if why := p.policies.Problem(); why.Code != "" {
		s.Healthy, s.Problems = false, append(s.Problems, why)
	}
	return s
}
