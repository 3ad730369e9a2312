package main

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"
)

// settings are what an operator may set.
type settings struct {
	// Database is a file with location.latitude, .longitude and
	// .accuracy_radius, such as GeoLite2-City.mmdb.
	Database string `json:"database"`
	// Egress are networks (CIDR) and addresses of known gateways, and files
	// ("/…") with one of them per line; # begins a comment.
	Egress []string `json:"egress"`
}

// Bounds of a data base: its file, and how many of its records are looked
// through for one with a location.
const (
	maxDatabase = 384 << 20
	maxSample   = 10_000
)

// worldMap finds places; the zero value knows none.
type worldMap struct {
	locations *maxminddb.Reader
	gateways  []netip.Prefix // apart, ascending
}

// location is a record's, as far as it has one.
type location struct {
	Latitude  *float64 `maxminddb:"latitude"`
	Longitude *float64 `maxminddb:"longitude"`
	Radius    *uint16  `maxminddb:"accuracy_radius"`
}

func openMap(set settings) (worldMap, error) {
	gateways, err := readEgress(set.Egress)
	if err != nil || set.Database == "" {
		return worldMap{gateways: gateways}, err
	}
	locations, err := open(set.Database)
	return worldMap{locations: locations, gateways: gateways}, err
}

// open reads a data base into memory: a file that is written over while it is
// mapped would give wrong places, or end the program. One without places is
// the wrong file, and must not pass for silence.
func open(file string) (*maxminddb.Reader, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxDatabase {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, maxDatabase)
	}
	raw, err := os.ReadFile(file) // #nosec G304 -- the operator's own setting
	if err != nil {
		return nil, err
	}
	reader, err := maxminddb.OpenBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	looked := 0
	for record := range reader.Networks() {
		if _, ok := spotOf(record); ok {
			return reader, nil
		}
		if looked++; looked >= maxSample {
			break
		}
	}
	return nil, fmt.Errorf("%s: no record has a location with its radius", file)
}

// spotOf reads a record's location. One that is not whole or not on earth is none.
func spotOf(record maxminddb.Result) (spot, bool) {
	var l location
	if record.DecodePath(&l, "location") != nil || l.Latitude == nil || l.Longitude == nil || l.Radius == nil {
		return spot{}, false
	}
	s := spot{Latitude: *l.Latitude, Longitude: *l.Longitude, Radius: float64(*l.Radius)}
	return s, s.onEarth()
}

// onEarth refuses a NaN, too.
func (s spot) onEarth() bool {
	return s.Latitude >= -90 && s.Latitude <= 90 && s.Longitude >= -180 && s.Longitude <= 180 && s.Radius > 0 && s.Radius <= 65535
}

// find returns the place of a network, given by its first address.
func (m worldMap) find(network string) (at spot, gateway, known bool) {
	address, err := netip.ParseAddr(network)
	if err != nil {
		return spot{}, false, false
	}
	address = address.WithZone("").Unmap()
	if m.gateway(address) {
		return spot{}, true, false
	}
	if m.locations == nil {
		return spot{}, false, false
	}
	at, known = spotOf(m.locations.Lookup(address))
	return at, false, known
}
