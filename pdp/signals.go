package pdp

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/risk"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/signals"
	"github.com/menshen-zt/menshen/pdp/token"
)

// SignalsConfig is about security events that are sent to others.
type SignalsConfig struct {
	// CAs is a PEM file of the CAs that vouch for receivers' certificates; the
	// system's if there is none.
	CAs string `yaml:"cas"`
}

func (c SignalsConfig) roots() (*x509.CertPool, error) {
	if c.CAs == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAs)
	if err != nil {
		return nil, fmt.Errorf("signals.cas: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("signals.cas: no certificate in %s", c.CAs)
	}
	return pool, nil
}

// wireRisk has what others report become facts.
func (p *PDP) wireRisk(ctx context.Context) error {
	roots, err := p.config.Signals.roots()
	if err != nil {
		return err
	}
	p.risk, err = risk.New(ctx, risk.Config{
		Store: p.state.store, Directory: p.names, Recorder: p.state.log, Keys: sourceKeys, HTTP: signals.NewClient(roots),
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "risk"), Origin: p.config.Web.Origin,
	})
	return err
}

// sourceKeys are a source's, as risk.Listener asks them.
func sourceKeys(raw []byte) (risk.KeySet, error) {
	keys, err := token.ParseKeys(raw)
	if err != nil {
		return nil, err
	}
	return keySet{keys}, nil
}

type keySet struct{ keys *token.Keys }

// Verify implements risk.KeySet.
func (k keySet) Verify(compact string) ([]byte, error) {
	claims, err := k.keys.Verify(compact)
	if errors.Is(err, token.ErrSETKey) {
		err = errors.Join(risk.ErrKey, err)
	}
	return claims, err
}

// wireSignals has what happens here become events for others.
func (p *PDP) wireSignals(ctx context.Context) error {
	roots, err := p.config.Signals.roots()
	if err != nil {
		return err
	}
	p.signals, err = signals.New(ctx, signals.Config{
		Store: p.state.store, Signer: p.tokens, Sealer: seal.New(p.state.ring.Seal), Recorder: p.state.log, Directory: p.names,
		Standing: p.appraisal.Standing, Session: p.signalledSession, Score: p.situation.sessionScore,
		Clock: time.Now, Random: rand.Reader, Logger: p.logger.With("part", "signals"), Origin: p.config.Web.Origin,
		Roots: roots, Limits: signals.DefaultLimits(),
	})
	return err
}

// wireSignalled has every change that others are told of reach the transmitter,
// and every change that others tell of the sessions.
func (p *PDP) wireSignalled() {
	p.sessions.Subscribe(p.sessionEvent)
	p.appraisal.Subscribe(p.signals.DeviceChanged)
	p.names.Subscribe(func(c directory.Change) {
		if c.Kind == directory.KindDevice {
			p.signals.DeviceChanged(c.ID)
		}
	})
	p.situation.Subscribe(func(sessionID string) {
		p.sessions.TrustChanged(sessionID)
		p.signals.TrustChanged(sessionID)
	})
	p.risk.Subscribe(func(personID, deviceID string) {
		if personID != "" {
			p.sessions.PersonChanged(personID)
		}
		if deviceID != "" {
			p.sessions.DeviceChanged(deviceID)
		}
	})
}

// sessionEvent passes on what became of a session.
func (p *PDP) sessionEvent(e session.Event) {
	s := signals.Session{ID: e.Session, Agency: e.Agency, Person: e.Person, Device: e.Device}
	if e.Cause == "" {
		p.signals.SessionRenewed(s, e.At, e.Before, e.SignIn)
		return
	}
	p.signals.SessionEnded(s, e.At, endCause(e.Cause))
}

// endCause is why a session ended, in the words of events. A cause that is not
// known was the PDP's own.
func endCause(c session.EndCause) signals.EndCause {
	switch c {
	case session.EndSignedOut:
		return signals.EndCause{Code: reason.SessionEndedByPerson, By: signals.ByUser}
	case session.EndReplaced:
		return signals.EndCause{Code: reason.SessionEndedByNewOne, By: signals.ByUser}
	case session.EndTooMany:
		return signals.EndCause{Code: reason.SessionEndedTooMany, By: signals.ByPolicy}
	case session.EndRevoked:
		return signals.EndCause{Code: reason.SessionEndedByAdmin, By: signals.ByAdmin}
	}
	return signals.EndCause{Code: reason.SessionNone, By: signals.BySystem}
}

// signalledSession is a live session, as events tell of it.
func (p *PDP) signalledSession(id string) (signals.Session, bool) {
	info, live := p.sessions.Session(id)
	if !live {
		return signals.Session{}, false
	}
	portal, err := p.names.Portal(context.Background(), info.Portal)
	if err != nil {
		return signals.Session{}, false // it is looked at again with its next score
	}
	return signals.Session{ID: id, Agency: portal.Agency, Person: info.Person, Device: info.Device}, true
}

// sessionScore is a session's present score, once there is one.
func (s *situation) sessionScore(id string) (score int, known bool) {
	current := s.trust.Current(id)
	return current.Score, !current.AssessedAt.IsZero()
}

// signalRoutes are those of events on the PDP's own origin: receivers and sources
// are servers of other operators, so they come to the listener whose certificate
// the world can verify, and each agency's issuer is below that origin.
func (p *PDP) signalRoutes(mux *http.ServeMux) {
	out := p.signals.Handler()
	mux.Handle("/.well-known/ssf-configuration/", out)
	mux.Handle("/a/{agency}/ssf/", out)
	mux.Handle("POST "+risk.Path, p.risk.Handler())
}
