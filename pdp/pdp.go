package pdp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin"
	"github.com/menshen-zt/menshen/pdp/api"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/applications"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/ceremony"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/decision/extauthz"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/exception"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/inventory"
	"github.com/menshen-zt/menshen/pdp/policy/application"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/risk"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/signals"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/token"
	"github.com/menshen-zt/menshen/pdp/web"
)

const signInPath = "/sign-in"

// PDP is the whole policy decision point.
type PDP struct {
	config  Config
	version string
	logger  *slog.Logger
	started time.Time
	state   *state

	operations *operations
	envoy      *extauthz.Server
	// lanes are the ports that strangers reach, from when they listen.
	lanes     map[string]*admission.Lane
	pageTurns *admission.Gate

	names      *directory.Directory
	hosts      *hosts
	software   *inventory.Library
	appraisal  *appraisal.Appraiser
	references *reference.Keeper
	exceptions *exception.Keeper
	enrolment  *enrolment.Enroller
	people     *ceremony.Ceremony
	policies   *policyset.Keeper
	engine     *engine
	situation  *situation
	ran        *ran
	tokens     *token.Issuer
	inputs     *recorded.Keeper
	history    *history
	appeals    *appeal.Keeper
	visits     *visits
	sessions   *session.Manager
	pages      *web.Site
	agents     *api.API
	proxies    *decision.Server
	admin      *admin.Admin

	applications *applications.Keeper[*application.Application]
	authzen      *authzen.Server

	risk    *risk.Listener
	signals *signals.Transmitter
}

// score tells an agent its person's score, once there is one.
func (p *PDP) score(deviceID string) (int, bool) {
	if p.situation == nil {
		return 0, false
	}
	return p.situation.Score(deviceID)
}

// New opens the PDP's state and wires its parts. Nothing listens before Run.
func New(ctx context.Context, c Config, version string, logger *slog.Logger) (p *PDP, err error) {
	p = &PDP{config: c, version: version, logger: logger, started: time.Now(),
		lanes: map[string]*admission.Lane{}, pageTurns: admission.NewGate(maxPages, pagesWaiting, pagesPatience), visits: newVisits()}
	if p.operations, err = newOperations(ctx, c, version, logger); err != nil {
		return nil, err
	}
	if p.state, err = openState(c, p.operations, logger); err != nil {
		return nil, errors.Join(err, p.operations.close())
	}
	for _, part := range []func(context.Context) error{p.wireDevices, p.wireRisk, p.wirePeople, p.wireEngine, p.wireAccess, p.wireAppeals, p.wireSignals, p.wireAuthzen, p.wireAdmin, p.wireOperations} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	p.wireChanges()
	p.wireSignalled()
	return p, nil
}

// Close releases everything that New opened.
func (p *PDP) Close() error {
	var all error
	if p.situation != nil {
		p.situation.Close()
	}
	if p.tokens != nil {
		all = errors.Join(all, p.tokens.Close())
	}
	return errors.Join(all, p.state.Close(), p.operations.close())
}

func (p *PDP) wireDevices(ctx context.Context) (err error) {
	box := seal.New(p.state.ring.Seal)
	p.names = directory.New(p.state.store, time.Now, rand.Reader)
	if p.hosts, err = newHosts(ctx, p.names); err != nil {
		return err
	}
	if p.software, err = newInventory(p.config.Inventory, p.state.store, p.logger.With("part", "inventory")); err != nil {
		return err
	}
	if p.references, err = newReferences(ctx, p.config.Attestation, p.state, p.names, p.logger.With("part", "reference")); err != nil {
		return err
	}
	if p.exceptions, err = newExceptions(ctx, p.state.store, p.logger.With("part", "exception")); err != nil {
		return err
	}
	judge, err := newJudge(p.config.Attestation, p.version, p.references.Set, p.exceptions.For)
	if err != nil {
		return err
	}
	p.ran = newRan()
	judge.software = newSoftwareRules(p.config.Inventory, p.software, p.logger)
	if p.appraisal, err = appraisal.New(ctx, appraisal.Config{
		Store: p.state.store, Sealer: box, Verify: p.ran.noting(judge.verify), Review: judge.review, Boots: p.references, Recorder: p.state.log,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "appraisal"),
		Interval: p.config.Attestation.Interval.Duration, SilentAfter: p.config.Attestation.SilentAfter.Duration,
		ReturnGrace: p.config.Attestation.SilentAfter.Duration, Score: p.score,
	}); err != nil {
		return err
	}
	endorser, err := newEndorser(p.config.Attestation)
	if err != nil {
		return err
	}
	p.enrolment, err = enrolment.New(enrolment.Config{
		Store: p.state.store, Devices: p.names, Fleet: p.names, Endorser: endorser, Sealer: box, Recorder: p.state.log,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "enrolment"),
		Authority: p.state.ring.Authority.Fingerprint(), WebOrigin: p.config.Web.Origin,
	})
	return err
}

func (p *PDP) wirePeople(context.Context) (err error) {
	if p.people, err = newCeremony(p.config, p.state, p.names, p.failedSignIn, p.logger.With("part", "ceremony")); err != nil {
		return err
	}
	if p.pages, err = web.New(web.Config{
		Origin: p.config.Web.Origin, AgentPort: p.people.AgentPort(), TestAuthenticators: p.people.TestAuthenticators(),
		Describe: p.people.Describe, Personal: p.personal, Logger: p.logger.With("part", "web"),
	}); err != nil {
		return err
	}
	p.agents, err = api.New(api.Config{
		Devices: p.names, Enrolment: p.enrolment, Appraisal: p.appraisal, Confirmer: p.people, Inventories: p.software,
		Clock: time.Now, Logger: p.logger.With("part", "agents"),
	})
	return err
}

func (p *PDP) wireEngine(ctx context.Context) (err error) {
	if p.situation, err = newSituation(ctx, p.config, p.state, p.operations, p.names, p.appraisal.Standing, p.ran.of, p.logger.With("part", "trust")); err != nil {
		return err
	}
	if err = p.wireHistory(ctx); err != nil {
		return err
	}
	if p.engine.facts, err = facts.New(facts.Config{
		Directory: p.names, NotFound: func(err error) bool { return errors.Is(err, store.ErrNotFound) },
		Standing: p.appraisal.Standing, Trust: p.situation.Trust, Risk: p.risk.Facts, Clock: time.Now,
	}); err != nil {
		return err
	}
	return nil
}

func (p *PDP) wireAccess(ctx context.Context) (err error) {
	if p.tokens, err = token.New(token.Config{
		Dir: tokenDir(p.config), Origin: p.config.Web.Origin, Agencies: p.names, Clock: time.Now, Random: rand.Reader,
	}); err != nil {
		return err
	}
	if err := p.agencyKeys(ctx); err != nil {
		return err
	}
	if p.sessions, err = session.New(ctx, session.Config{
		Store: p.state.store, Engine: observedEngine{p.engine, p.operations}, Tokens: observedTokens{p.tokens, p.operations}, Recorder: p.state.log, Inputs: p.inputs, Observe: p.policies.Observe, Used: p.usedAgain,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "session"), Limits: session.DefaultLimits(),
	}); err != nil {
		return err
	}
	p.proxies, err = decision.New(decision.Config{
		Sessions: observedSessions{p.sessions, p.operations.metrics}, Portals: p.names, Logins: p.people, Sealer: seal.New(p.state.ring.Seal),
		Devices: p.appraisal, Taken: p.appraisal.Taken, Tokens: p.tokens, Pages: p.pages, SignIn: p.config.Web.Origin + signInPath,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "decision"),
	})
	return err
}

// agencyKeys makes signing keys for agencies that have none yet.
func (p *PDP) agencyKeys(ctx context.Context) error {
	agencies, err := p.names.Agencies(ctx)
	if err != nil {
		return err
	}
	for _, a := range agencies {
		if err := p.tokens.Ensure(a.ID); err != nil {
			return err
		}
	}
	return nil
}

func (p *PDP) wireAdmin(context.Context) (err error) {
	p.admin, err = admin.New(admin.Config{
		Directory: p.names, Applications: adminApplications{p.applications}, Transfers: transfers{p.names, p.appraisal}, Codes: p.enrolment, Expected: p.enrolment, Links: p.people, Standings: p.appraisal, Repairs: p.appraisal,
		Sessions: adminSessions{p.sessions, p.names}, Decisions: erasing{adminDecisions{p.history, p.names}, p.appeals, p.situation.trust},
		Policies: adminPolicies{p.policies}, PolicySets: p.policies, Inventories: adminInventories{p.software}, References: p.references, Exceptions: p.exceptions, SigningKeys: p.tokens, Baselines: p.appraisal, Appeals: p.appeals, Receivers: p.signals, Sources: p.risk, Trust: adminTrust{p}, Plugins: adminPlugins{p}, Status: p.status, Recorder: p.state.log,
		Clock: time.Now, Logger: p.logger.With("part", "admin"), UIDs: p.config.Admin.UIDs,
	})
	return err
}

// wireChanges has every change of a fact reach exactly the sessions it touches
// (requirements 19).
func (p *PDP) wireChanges() {
	p.appraisal.Subscribe(func(id string) {
		p.situation.trust.DeviceChanged(id)
		p.sessions.DeviceChanged(id)
		p.hostChanged(id)
	})
	p.references.Subscribe(p.appraisal.Reconsider)
	p.exceptions.Subscribe(p.appraisal.Reconsider)
	p.tokens.Subscribe(func(agency string) {
		p.proxies.KeysChanged()
		p.sessions.AgencyChanged(agency)
	})
	p.policies.Subscribe(p.sessions.PolicyChanged)
	p.situation.overrides.Subscribe(p.overrideChanged)
	p.names.Subscribe(func(c directory.Change) {
		switch c.Kind {
		case directory.KindPerson:
			p.sessions.PersonChanged(c.ID)
		case directory.KindKey:
			p.sessions.KeyChanged(c.ID)
		case directory.KindDevice:
			p.deviceChanged(c.ID)
		case directory.KindPortal:
			if err := p.hosts.read(context.Background()); err != nil {
				p.logger.Error("portals' hosts cannot be read", "error", err)
			}
			p.proxies.PortalsChanged()
			p.sessions.PortalChanged(c.ID)
		case directory.KindAgency:
			if err := p.tokens.Ensure(c.ID); err != nil {
				p.logger.Error("no signing keys for an agency", "agency", c.ID, "error", err)
			}
			p.sessions.AgencyChanged(c.ID)
		}
	})
}

func (p *PDP) deviceChanged(id string) {
	dev, err := p.names.Device(context.Background(), id)
	if err != nil || dev.Status == wire.DeviceRetired {
		p.appraisal.Forget(id)
		p.ran.forget(id)
	}
	if err == nil && dev.Status == wire.DeviceRetired {
		p.forgetSoftware(dev)
	}
	p.sessions.DeviceChanged(id)
	p.hostChanged(id)
}

// hostChanged has the sessions of the portals that a device serves decided anew.
func (p *PDP) hostChanged(deviceID string) {
	portals, known := p.hosts.served(deviceID)
	if !known {
		p.sessions.PolicyChanged()
	}
	for _, portal := range portals {
		p.sessions.PortalChanged(portal)
	}
}
