package ceremony

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/pace"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Config is what a Ceremony needs. Every field without "optional" is required.
type Config struct {
	// Origin is the PDP's own web origin, such as https://pdp.example.gov.tw,
	// and its host is WebAuthn's relying party id.
	Origin string
	// AgentPort is the agents' loopback port; optional, wire.DefaultLoopbackPort.
	AgentPort int

	Store     store.Store
	Sealer    Sealer
	Recorder  Recorder
	Directory Directory
	Clock     func() time.Time
	Random    io.Reader
	Logger    *slog.Logger

	// Failed hears of refused sign-ins of people who are known, at most
	// failedBurst at once and then one every failedEvery of each: whoever knows a
	// credential's id could send any number. It must not block. Optional.
	Failed func(wire.FailedSignIn)

	// MDSFile is a FIDO Metadata Service BLOB on disk; it is never fetched.
	// Optional: without it no hardware key can be registered.
	MDSFile string
	// MDSRoot is the BLOB's trust anchor; optional, FIDO's production root.
	MDSRoot *x509.Certificate
	// PermitAAGUIDs lists the models that may be registered; optional, empty
	// permits every model that the metadata proves to be certified hardware.
	PermitAAGUIDs []string
	// PermitTestAuthenticators admits Chromium's virtual authenticator, which
	// proves nothing. Its keys are marked, and every page says so. For tests.
	PermitTestAuthenticators bool
}

// Times of the ceremonies. Those of the session are requirements 15.
const (
	ceremonyLife     = 5 * time.Minute
	registrationLife = 10 * time.Minute
	confirmationLife = 60 * time.Second
	loginCodeLife    = 60 * time.Second
	sessionLife      = 12 * time.Hour
	sessionIdle      = 15 * time.Minute
	secondKeyLife    = 30 * time.Minute
	maxLinkLife      = 7 * 24 * time.Hour
)

// maxConcurrent bounds the ceremonies that are worked on at once; maxWaiting
// more wait for their turn, no longer than patience, and what is beyond is
// answered 503 with Retry-After: a flood cannot starve the rest of the PDP.
const (
	maxConcurrent = 16
	maxWaiting    = 128
	patience      = time.Second
)

// refusalBurst is how many refused confirmations of one person are put on
// record at once; then one every minute.
const refusalBurst = 10

// Bounds of what Config.Failed hears of one person.
const (
	failedBurst = 8
	failedEvery = 30 * time.Second
)

// Ceremony answers the sign-in and registration pages. It is safe for
// concurrent use.
type Ceremony struct {
	origin    string
	agentPort int
	store     store.Store
	sealer    Sealer
	recorder  Recorder
	directory Directory
	clock     func() time.Time
	random    io.Reader
	logger    *slog.Logger

	proven    *webauthn.WebAuthn // hardware: every check of the metadata
	test      *webauthn.WebAuthn // the test authenticator; nil unless permitted
	models    *models
	gate      *admission.Gate
	strangers *tally
	refusals  *pace.Pace // on record, by person
	failed    func(wire.FailedSignIn)
	failures  *pace.Pace // told, by person
}

// New returns a Ceremony, or an error for a configuration that could not be
// kept: a malformed origin or AAGUID, or a metadata BLOB that is not proven.
func New(config Config) (*Ceremony, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	origin, err := url.Parse(config.Origin)
	if err != nil || origin.Host == "" || origin.String() != "https://"+origin.Host {
		return nil, fmt.Errorf("ceremony: origin %q is not https://host[:port]", config.Origin)
	}
	known, err := loadModels(config)
	if err != nil {
		return nil, err
	}
	c := &Ceremony{
		origin: config.Origin, agentPort: config.AgentPort, store: config.Store, sealer: config.Sealer,
		recorder: config.Recorder, directory: config.Directory, clock: config.Clock, random: config.Random,
		logger: config.Logger, models: known, gate: admission.NewGate(maxConcurrent, maxWaiting, patience), strangers: new(tally),
		refusals: pace.New(refusalBurst, time.Minute),
		failed:   config.Failed, failures: pace.New(failedBurst, failedEvery),
	}
	if c.failed == nil {
		c.failed = func(wire.FailedSignIn) {}
	}
	if c.agentPort == 0 {
		c.agentPort = wire.DefaultLoopbackPort
	}
	if c.proven, err = relyingParty(origin, known); err != nil {
		return nil, err
	}
	if config.PermitTestAuthenticators {
		if c.test, err = relyingParty(origin, nil); err != nil {
			return nil, err
		}
		c.logger.Warn("test authenticators are permitted: keys registered with them prove nothing")
	}
	return c, nil
}

func (config Config) check() error {
	for name, missing := range map[string]bool{
		"Store": config.Store == nil, "Sealer": config.Sealer == nil, "Recorder": config.Recorder == nil,
		"Directory": config.Directory == nil, "Clock": config.Clock == nil, "Random": config.Random == nil, "Logger": config.Logger == nil,
	} {
		if missing {
			return errors.New("ceremony: " + name + " is missing")
		}
	}
	return nil
}

// TestAuthenticators reports whether test authenticators are permitted, which
// every page must then say.
func (c *Ceremony) TestAuthenticators() bool { return c.test != nil }

// AgentPort returns the agents' loopback port, which the sign-in page's
// content security policy must allow.
func (c *Ceremony) AgentPort() int { return c.agentPort }

// relyingParty returns the library's verifier. With metadata it checks
// attestation chains, status and what the model can do; user verification is
// required in every ceremony (requirements 16).
func relyingParty(origin *url.URL, known *models) (*webauthn.WebAuthn, error) {
	residentKey := true
	config := &webauthn.Config{
		RPID:                  origin.Hostname(),
		RPDisplayName:         "Menshen",
		RPOrigins:             []string{origin.String()},
		AttestationPreference: protocol.PreferDirectAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			AuthenticatorAttachment: protocol.CrossPlatform,
			RequireResidentKey:      &residentKey,
			ResidentKey:             protocol.ResidentKeyRequirementRequired,
			UserVerification:        protocol.VerificationRequired,
		},
	}
	if known != nil {
		config.MDS = known.provider
	}
	rp, err := webauthn.New(config)
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	return rp, nil
}
