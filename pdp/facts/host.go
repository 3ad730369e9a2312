package facts

import (
	"context"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// host is the worst of all the devices that serve a portal (requirements 20).
// Of a portal that names none, or one that is not enrolled, active and of the
// portal's agency, nothing is known.
func (a *Assembler) host(ctx context.Context, p wire.Portal) (wire.HostFacts, error) {
	if len(p.Hosts) == 0 {
		return wire.HostFacts{}, nil
	}
	var worst wire.HostFacts
	for i, id := range p.Hosts {
		dev, err := found(ctx, a, a.config.Directory.Device, id)
		if err != nil {
			return wire.HostFacts{}, err
		}
		if dev.ID != id || id == "" || dev.Status != wire.DeviceActive || dev.Agency != p.Agency {
			return wire.HostFacts{}, nil
		}
		one := hostFacts(a.config.Standing(id), id, a.config.Clock())
		if i == 0 {
			worst = one
		} else {
			worst = worseHost(worst, one)
		}
	}
	return worst, nil
}

// hostFacts reads one host's standing. A result of another device, or one that
// has ended, is stale.
func hostFacts(s wire.DeviceStanding, id string, now time.Time) wire.HostFacts {
	f := wire.HostFacts{Known: true, Standing: s.Standing, ChangesAt: earliest(s.ChangesAt, s.Result.ValidUntil)}
	if s.DeviceID != id || s.Result.DeviceID != id {
		f.Standing = wire.StandingStale
		return f
	}
	f.Vector = s.Result.Vector
	if f.Standing != wire.StandingRefused && !now.Before(s.Result.ValidUntil) {
		f.Standing = wire.StandingStale
	}
	return f
}

func worseHost(a, b wire.HostFacts) wire.HostFacts {
	return wire.HostFacts{
		Known:    a.Known && b.Known,
		Standing: worst(a.Standing, b.Standing, standings[:]),
		Vector: wire.TrustVector{
			InstanceIdentity: worst(a.Vector.InstanceIdentity, b.Vector.InstanceIdentity, tiers[:]),
			Hardware:         worst(a.Vector.Hardware, b.Vector.Hardware, tiers[:]),
			Executables:      worst(a.Vector.Executables, b.Vector.Executables, tiers[:]),
			Configuration:    worst(a.Vector.Configuration, b.Vector.Configuration, tiers[:]),
		},
		ChangesAt: earliest(a.ChangesAt, b.ChangesAt),
	}
}

// The values from worst to best. What is not listed is as bad as the worst.
var (
	standings = [...]wire.Standing{wire.StandingRefused, wire.StandingUnknown, wire.StandingStale, wire.StandingSilent, wire.StandingFresh}
	tiers     = [...]wire.Trustworthiness{wire.Contraindicated, wire.TrustNone, wire.Warning, wire.Affirming}
)

func worst[T comparable](a, b T, order []T) T {
	if slices.Index(order, a) <= slices.Index(order, b) {
		return a
	}
	return b
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
