package directory

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// SetPortalRoutes replaces a portal's routes (wire.CheckRoutes); none takes
// them away.
func (d *Directory) SetPortalRoutes(ctx context.Context, id string, routes []wire.Route) (wire.Portal, error) {
	if number, fault := wire.CheckRoutes(routes); number != 0 {
		return wire.Portal{}, &InputError{Field: "routes", Why: reason.New(reason.CfgRoutes, "number", strconv.Itoa(number), "fault", fault)}
	}
	return d.setPortal(ctx, id, func(p *wire.Portal) { p.Routes = slices.Clone(routes) })
}

// The widest networks that tokens may be presented from: more would be
// everywhere.
const (
	widestIPv4 = 8
	widestIPv6 = 32
)

// SetPortalTokenFrom replaces the networks that access tokens of a portal may
// be presented from, each as CIDR; none takes them away.
func (d *Directory) SetPortalTokenFrom(ctx context.Context, id string, networks []string) (wire.Portal, error) {
	if len(networks) > wire.MaxTokenNetworks {
		return wire.Portal{}, wrong("networks", reason.CfgTokenFrom)
	}
	for i, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Masked().String() != text || slices.Contains(networks[:i], text) {
			return wire.Portal{}, wrong("networks", reason.CfgTokenFrom)
		}
		if widest := map[bool]int{true: widestIPv4, false: widestIPv6}[network.Addr().Is4()]; network.Bits() < widest {
			return wire.Portal{}, wrong("networks", reason.CfgTokenFrom)
		}
	}
	return d.setPortal(ctx, id, func(p *wire.Portal) { p.TokenFrom = slices.Clone(networks) })
}

func (d *Directory) setPortal(ctx context.Context, id string, change func(*wire.Portal)) (wire.Portal, error) {
	if wire.CheckID(wire.PrefixPortal, id) != nil {
		return wire.Portal{}, ErrNotFound
	}
	return update(ctx, d, KindPortal, id,
		func(p *wire.Portal) error { change(p); return nil },
		func(p wire.Portal) Change { return Change{Kind: KindPortal, Agency: p.Agency, ID: p.ID} })
}
