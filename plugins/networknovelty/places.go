package main

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"
)

// settings are what an operator may set.
type settings struct {
	// Database is a file with country.iso_code, such as GeoLite2-City.mmdb.
	Database string `json:"database"`
	// ASNDatabase is one with autonomous_system_number.
	ASNDatabase string `json:"asn_database"`
}

// Bounds of a data base: its file, and how many of its records are looked
// through for one that has the field it is there for.
const (
	maxDatabase = 384 << 20
	maxSample   = 10_000
)

// place is where an address lies. What is not known is zero.
type place struct {
	network netip.Prefix // an IPv4 /24, an IPv6 /56
	block   netip.Prefix // an IPv4 /16, an IPv6 /32
	asn     uint32
	country [2]byte
}

// places finds places; the zero value knows neither operators nor countries.
type places struct{ countries, operators *maxminddb.Reader }

func openPlaces(set settings) (places, error) {
	countries, err := open(set.Database, "country", "iso_code")
	if err != nil {
		return places{}, err
	}
	operators, err := open(set.ASNDatabase, "autonomous_system_number")
	return places{countries: countries, operators: operators}, err
}

// open reads a data base into memory: a file that is written over while it is
// mapped would give wrong countries, or end the program. One that has the
// field nowhere is the wrong file, and must not pass for silence.
func open(file string, field ...any) (*maxminddb.Reader, error) {
	if file == "" {
		return nil, nil
	}
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
	if !has(reader, field) {
		return nil, fmt.Errorf("%s: no record has the field %v", file, field)
	}
	return reader, nil
}

func has(reader *maxminddb.Reader, field []any) bool {
	looked := 0
	for record := range reader.Networks() {
		var found any
		if record.DecodePath(&found, field...) == nil && found != nil {
			return true
		}
		if looked++; looked >= maxSample {
			break
		}
	}
	return false
}

// find reads an address; IPv4 inside IPv6 counts as IPv4, zones are cut.
func (p places) find(text string) (place, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return place{}, false
	}
	return p.of(address.WithZone("").Unmap()), true
}

func (p places) of(address netip.Addr) place {
	network, block := 56, 32
	if address.Is4() {
		network, block = 24, 16
	}
	at := place{network: prefix(address, network), block: prefix(address, block)}
	if p.operators != nil {
		var number uint32
		if p.operators.Lookup(address).DecodePath(&number, "autonomous_system_number") == nil {
			at.asn = number
		}
	}
	if p.countries != nil {
		var code string
		if p.countries.Lookup(address).DecodePath(&code, "country", "iso_code") == nil && len(code) == len(at.country) {
			copy(at.country[:], code)
		}
	}
	return at
}

// prefix cannot fail: the lengths fit the kinds of address.
func prefix(address netip.Addr, bits int) netip.Prefix {
	return netip.PrefixFrom(address, bits).Masked()
}
