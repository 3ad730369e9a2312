package facts

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	affirming, warning = wire.Affirming, wire.Warning
	none, against      = wire.TrustNone, wire.Contraindicated
)

func vector(identity, hardware, executables, configuration wire.Trustworthiness) wire.TrustVector {
	return wire.TrustVector{InstanceIdentity: identity, Hardware: hardware, Executables: executables, Configuration: configuration}
}

func standing(id string, s wire.Standing, changes time.Duration, v wire.TrustVector) wire.DeviceStanding {
	return wire.DeviceStanding{
		DeviceID: id, Standing: s, ChangesAt: at.Add(changes),
		Result: wire.AttestationResult{DeviceID: id, Vector: v, IssuedAt: at, ValidUntil: at.Add(10 * time.Minute)},
	}
}

func TestHostsAreAsTheWorstOfThem(t *testing.T) {
	whole := vector(affirming, affirming, affirming, affirming)
	fresh := func(id string) wire.DeviceStanding { return standing(id, wire.StandingFresh, 5*time.Minute, whole) }
	for name, tt := range map[string]struct {
		a, b wire.DeviceStanding
		want wire.HostFacts
	}{
		"both well": {
			fresh("dev-8"), fresh("dev-9"),
			wire.HostFacts{Known: true, Standing: wire.StandingFresh, Vector: whole, ChangesAt: at.Add(5 * time.Minute)},
		},
		"one silent, and it changes earlier": {
			fresh("dev-8"), standing("dev-9", wire.StandingSilent, time.Minute, whole),
			wire.HostFacts{Known: true, Standing: wire.StandingSilent, Vector: whole, ChangesAt: at.Add(time.Minute)},
		},
		"stale is worse than silent": {
			standing("dev-8", wire.StandingStale, time.Minute, whole), standing("dev-9", wire.StandingSilent, time.Minute, whole),
			wire.HostFacts{Known: true, Standing: wire.StandingStale, Vector: whole, ChangesAt: at.Add(time.Minute)},
		},
		"refused is worse than stale": {
			standing("dev-8", wire.StandingStale, time.Minute, whole), standing("dev-9", wire.StandingRefused, time.Minute, vector(against, none, none, none)),
			wire.HostFacts{Known: true, Standing: wire.StandingRefused, Vector: vector(against, none, none, none), ChangesAt: at.Add(time.Minute)},
		},
		"each tier for itself": {
			standing("dev-8", wire.StandingFresh, time.Minute, vector(affirming, warning, none, against)),
			standing("dev-9", wire.StandingFresh, 2*time.Minute, vector(warning, affirming, warning, none)),
			wire.HostFacts{Known: true, Standing: wire.StandingFresh, Vector: vector(warning, warning, none, against), ChangesAt: at.Add(time.Minute)},
		},
		"never measured": {
			fresh("dev-8"), wire.DeviceStanding{DeviceID: "dev-9"},
			wire.HostFacts{Known: true, Standing: wire.StandingStale, ChangesAt: at.Add(5 * time.Minute)},
		},
		"a result of another": {
			fresh("dev-8"), fresh("dev-7"),
			wire.HostFacts{Known: true, Standing: wire.StandingStale, ChangesAt: at.Add(5 * time.Minute)},
		},
	} {
		for _, turned := range []bool{false, true} {
			a, d, s := setUp(t)
			d.devices["dev-8"] = wire.Device{ID: "dev-8", Agency: "moda", Status: wire.DeviceActive}
			d.devices["dev-9"] = wire.Device{ID: "dev-9", Agency: "moda", Status: wire.DeviceActive}
			hosts := []string{"dev-8", "dev-9"}
			if turned {
				hosts = []string{"dev-9", "dev-8"}
			}
			d.portals["por-1"] = wire.Portal{ID: "por-1", Agency: "moda", Hosts: hosts}
			a.config.Standing = func(id string) wire.DeviceStanding {
				return map[string]wire.DeviceStanding{"dev-8": tt.a, "dev-9": tt.b}[id]
			}
			got, err := a.Assemble(t.Context(), s)
			if err != nil || cmp.Diff(got.Host, tt.want) != "" {
				t.Errorf("%s: %v %s", name, err, cmp.Diff(got.Host, tt.want))
			}
		}
	}
}

func TestAnEndedResultOfAHostIsStale(t *testing.T) {
	s := standing("dev-9", wire.StandingFresh, time.Minute, vector(affirming, affirming, none, warning))
	s.Result.ValidUntil = at
	if got := hostFacts(s, "dev-9", at); got.Standing != wire.StandingStale {
		t.Errorf("%+v", got)
	}
}

func TestHostsThatAreNotWhatTheyShouldBeAreNotKnown(t *testing.T) {
	good := wire.Device{ID: "dev-9", Agency: "moda", Status: wire.DeviceActive}
	for name, set := range map[string]func(*wire.Device){
		"pending":        func(d *wire.Device) { d.Status = wire.DevicePending },
		"quarantined":    func(d *wire.Device) { d.Status = wire.DeviceQuarantined },
		"retired":        func(d *wire.Device) { d.Status = wire.DeviceRetired },
		"other agency":   func(d *wire.Device) { d.Agency = "nstc" },
		"not there":      func(d *wire.Device) { *d = wire.Device{} },
		"another record": func(d *wire.Device) { d.ID = "dev-7" },
	} {
		a, d, s := setUp(t)
		a.config.Standing = func(id string) wire.DeviceStanding {
			return standing(id, wire.StandingFresh, time.Minute, vector(affirming, affirming, affirming, affirming))
		}
		d.portals["por-1"] = wire.Portal{ID: "por-1", Agency: "moda", Hosts: []string{"dev-8", "dev-9"}}
		d.devices["dev-8"] = wire.Device{ID: "dev-8", Agency: "moda", Status: wire.DeviceActive}
		d.devices["dev-9"] = good
		if got, err := a.Assemble(t.Context(), s); err != nil || !got.Host.Known {
			t.Fatalf("%+v %v", got.Host, err)
		}
		spoilt := good
		set(&spoilt)
		d.devices["dev-9"] = spoilt
		if got, err := a.Assemble(t.Context(), s); err != nil || got.Host != (wire.HostFacts{}) {
			t.Errorf("%s: %+v %v", name, got.Host, err)
		}
	}
}

func TestAPortalWithoutHosts(t *testing.T) {
	a, _, s := setUp(t)
	if got, err := a.Assemble(t.Context(), s); err != nil || got.Host != (wire.HostFacts{}) {
		t.Errorf("%+v %v", got.Host, err)
	}
}
