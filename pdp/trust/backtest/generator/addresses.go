package generator

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// pool is a run of /24 networks of one provider in one place.
type pool struct {
	asn     uint32
	country string
	place   place
	radius  uint16 // km, how exactly a database knows the place
	first   uint32 // the first address
	nets    int    // how many /24
}

// addresses is the made-up address plan.
type addresses struct {
	next  uint32
	asn   uint32
	pools []*pool

	homes   [][]*pool // by city, by provider
	mobiles [][]*pool // by carrier, by region
	hosting []*pool   // hosting and VPN providers in the country
	abroad  map[string][]*pool
	// abroadHosting are hosting providers by country.
	abroadHosting map[string][]*pool
	offices       []*pool // by agency
}

// Shares of providers; how many /24 a provider has for 100,000 people.
var (
	homeShares   = [...]float64{0.6, 0.25, 0.15}
	mobileShares = [...]float64{0.4, 0.35, 0.25}
)

const (
	netsPer100k    = 12
	mobileNets     = 64 // per carrier and region
	hosters        = 12
	hosterNets     = 8
	abroadISPs     = 5
	abroadNets     = 256
	abroadHosters  = 3
	cityRadius     = 20
	mobileRadius   = 100
	countryRadius  = 200
	hostingRadius  = 50
	governmentASN  = 64500
	firstOtherASN  = 64600
	agencyNets     = 2
	addressesPer24 = 256
)

func newAddresses() *addresses {
	a := &addresses{next: 1 << 24, asn: firstOtherASN, abroad: map[string][]*pool{}, abroadHosting: map[string][]*pool{}}
	all := cities()
	a.homes = make([][]*pool, len(all))
	for _, share := range homeShares {
		asn := a.newASN()
		for c, city := range all {
			nets := max(2, int(city.weight*netsPer100k*share))
			a.homes[c] = append(a.homes[c], a.pool(asn, homeCountry, city, cityRadius, nets))
		}
	}
	for range mobileShares {
		asn := a.newASN()
		var carrier []*pool
		for region := range regions {
			i := slices.IndexFunc(all, func(p place) bool { return p.region == region })
			carrier = append(carrier, a.pool(asn, homeCountry, all[i], mobileRadius, mobileNets))
		}
		a.mobiles = append(a.mobiles, carrier)
	}
	for range hosters {
		a.hosting = append(a.hosting, a.pool(a.newASN(), homeCountry, all[0], hostingRadius, hosterNets))
	}
	for _, c := range countries() {
		for range abroadISPs {
			a.abroad[c.name] = append(a.abroad[c.name], a.pool(a.newASN(), c.name, c, countryRadius, abroadNets))
		}
		for range abroadHosters {
			a.abroadHosting[c.name] = append(a.abroadHosting[c.name], a.pool(a.newASN(), c.name, c, hostingRadius, hosterNets))
		}
	}
	return a
}

func (a *addresses) newASN() uint32 { a.asn++; return a.asn }

// office gives an agency its own networks.
func (a *addresses) office(city place) {
	a.offices = append(a.offices, a.pool(governmentASN, homeCountry, city, cityRadius, agencyNets))
}

func (a *addresses) pool(asn uint32, country string, where place, radius uint16, nets int) *pool {
	need := uint32(nets) * addressesPer24 // #nosec G115 -- small counts
	for reserved(a.next) || reserved(a.next+need) {
		a.next = (a.next>>24 + 1) << 24
	}
	p := &pool{asn: asn, country: country, place: where, radius: radius, first: a.next, nets: nets}
	a.next += need
	a.pools = append(a.pools, p)
	return p
}

// reserved reports whether an address lies in an eighth that has reserved
// parts (RFC 6890): databases leave those out.
func reserved(address uint32) bool {
	switch address >> 24 {
	case 0, 10, 100, 127, 169, 172, 192, 198, 203:
		return true
	}
	return false
}

// any returns an address of the pool.
func (p *pool) any(d dice) netip.Addr {
	return in24(p.first+uint32(d.IntN(p.nets))*addressesPer24, d) // #nosec G115 -- small counts
}

// near returns an address of the same /24.
func near(a netip.Addr, d dice) netip.Addr {
	four := a.As4()
	return in24(binary.BigEndian.Uint32(four[:])&^0xff, d)
}

func in24(first uint32, d dice) netip.Addr {
	var four [4]byte
	binary.BigEndian.PutUint32(four[:], first+1+uint32(d.IntN(254))) // #nosec G115 -- below 255
	return netip.AddrFrom4(four)
}

// network is the first address of the /24, as the PDP keeps it.
func network(a netip.Addr) string {
	prefix, _ := a.Prefix(24) // an IPv4 address has one
	return prefix.Addr().String()
}
