// Package facts puts together what is known of one session, so that the policy
// engine can judge it: person, key, device, the appraisal's present view of the
// device, trust assessment, reported risk, portal and network (NIST SP 800-207 §3.3).
//
// Guarantees:
//   - what is not found is a zero value, which affirms nothing; it is never an
//     error that a caller could read as "go on";
//   - an error is returned only when the directory could not be asked; the
//     facts are then zero as well, and the caller denies;
//   - nothing here comes from the client: the session's own values name
//     person, key and device, and the proxy's identity names the portal.
package facts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Directory is who and what is known. Its errors are told apart by
// Config.NotFound.
type Directory interface {
	Person(ctx context.Context, id string) (wire.Person, error)
	Keys(ctx context.Context, personID string) ([]wire.SecurityKey, error)
	Device(ctx context.Context, id string) (wire.Device, error)
	Portal(ctx context.Context, id string) (wire.Portal, error)
}

// Config is what an Assembler stands on. All fields but Risk are needed.
type Config struct {
	Directory Directory
	// NotFound tells a record that is not there from a store that cannot answer.
	NotFound func(error) bool
	// Standing is the appraisal's present view of a device.
	Standing func(deviceID string) wire.DeviceStanding
	// Trust is the present assessment of a session. It reads a cache; no
	// plugin is asked here.
	Trust func(ctx context.Context, s Subject) wire.TrustAssessment
	// Risk is what a SIEM or an EDR says at present of a person and a device; it
	// reads a cache. Nil where nobody reports: the only field that may be.
	Risk  func(personID, deviceID string) wire.RiskFacts
	Clock func() time.Time
}

// Subject is one session, as its own record has it, and what the proxy saw.
type Subject struct {
	SessionID string
	SignIn    wire.SignIn
	Binding   wire.DeviceBinding
	PortalID  string
	// Address is the client's, where it is known, and Network its network as
	// the proxy saw it.
	Address netip.Addr
	Network string
	// NetworkProven says that this session's device was confirmed from Network.
	NetworkProven bool
	// Request is what is asked for, as the portal's routes name it.
	Request wire.RequestFacts
	// Action is what it is asked for.
	Action wire.Action
	// Person and Portal are as the directory has them, filled in here.
	Person wire.Person
	Portal wire.Portal
}

// Assembler puts facts together.
type Assembler struct{ config Config }

// New returns an Assembler.
func New(c Config) (*Assembler, error) {
	if c.Directory == nil || c.NotFound == nil || c.Standing == nil || c.Trust == nil || c.Clock == nil {
		return nil, errors.New("facts: Directory, NotFound, Standing, Trust and Clock are needed")
	}
	return &Assembler{config: c}, nil
}

// Assemble returns the facts of one session now. An error means that the
// directory could not be asked: the caller denies.
func (a *Assembler) Assemble(ctx context.Context, s Subject) (wire.Facts, error) {
	f := wire.Facts{
		SignIn:  s.SignIn,
		Binding: s.Binding,
		Network: wire.NetworkFacts{Network: s.Network, Proven: s.NetworkProven},
		Request: s.Request,
		// Without the monotonic clock, which no record keeps: a replay compares
		// the same times.
		At: a.config.Clock().UTC().Round(0),
	}
	var err error
	if f.Person, err = found(ctx, a, a.config.Directory.Person, s.SignIn.PersonID); err != nil {
		return wire.Facts{}, fmt.Errorf("facts: person: %w", err)
	}
	if !f.Person.SignInStands(s.SignIn.At) {
		f.SignIn = wire.SignIn{} // ended by an administrator: nothing is proven
	}
	if f.Key, err = a.key(ctx, f.Person.ID, s.SignIn.KeyID); err != nil {
		return wire.Facts{}, fmt.Errorf("facts: key: %w", err)
	}
	if f.Device, err = found(ctx, a, a.config.Directory.Device, s.Binding.DeviceID); err != nil {
		return wire.Facts{}, fmt.Errorf("facts: device: %w", err)
	}
	if f.Portal, err = found(ctx, a, a.config.Directory.Portal, s.PortalID); err != nil {
		return wire.Facts{}, fmt.Errorf("facts: portal: %w", err)
	}
	if f.Device.ID != "" {
		f.Standing = a.config.Standing(f.Device.ID)
	}
	if f.Host, err = a.host(ctx, f.Portal); err != nil {
		return wire.Facts{}, fmt.Errorf("facts: host: %w", err)
	}
	s.Person, s.Portal = f.Person, f.Portal
	f.Trust = a.config.Trust(ctx, s)
	if a.config.Risk != nil {
		f.Risk = a.config.Risk(f.Person.ID, f.Device.ID)
	}
	return f, nil
}

// found reads one record; a record that is not there is the zero value.
func found[T any](ctx context.Context, a *Assembler, get func(context.Context, string) (T, error), id string) (T, error) {
	var zero T
	if id == "" {
		return zero, nil
	}
	record, err := get(ctx, id)
	switch {
	case err == nil:
		return record, nil
	case a.config.NotFound(err):
		return zero, nil
	}
	return zero, err
}

// key tells what policy may know of the key that signed in. A key that is not
// the person's any more is as good as revoked.
func (a *Assembler) key(ctx context.Context, personID, keyID string) (wire.KeyFacts, error) {
	gone := wire.KeyFacts{Revoked: true}
	if personID == "" || keyID == "" {
		return gone, nil
	}
	keys, err := a.config.Directory.Keys(ctx, personID)
	if err != nil {
		if a.config.NotFound(err) {
			return gone, nil
		}
		return gone, err
	}
	for _, k := range keys {
		if k.ID == keyID && k.PersonID == personID {
			return wire.KeyFacts{Hardware: k.Hardware, Revoked: k.Revoked}, nil
		}
	}
	return gone, nil
}
