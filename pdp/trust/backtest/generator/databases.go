package generator

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Files are the paths of what Databases wrote.
type Files struct {
	City, ASN string // MaxMind DB format
	Threats   string // a list of networks, a line each
	Holidays  string // the government's calendar, as data.gov.tw publishes it
}

// Databases writes what plugins may know of the made-up addresses into the
// folder: cities, providers, and a list of networks that attacks come from,
// which is as incomplete and as wrong as the tables say.
func (w *World) Databases(folder string) (Files, error) {
	files := Files{
		City: filepath.Join(folder, "city.mmdb"), ASN: filepath.Join(folder, "asn.mmdb"), Threats: filepath.Join(folder, "threats.txt"),
		Holidays: filepath.Join(folder, "holidays.csv"),
	}
	err := w.database(files.City, "GeoLite2-City", func(p *pool) mmdbtype.DataType {
		return mmdbtype.Map{
			"country": mmdbtype.Map{"iso_code": mmdbtype.String(p.country)},
			"location": mmdbtype.Map{
				"latitude": mmdbtype.Float64(p.place.lat), "longitude": mmdbtype.Float64(p.place.lon),
				"accuracy_radius": mmdbtype.Uint16(p.radius),
			},
		}
	})
	if err != nil {
		return Files{}, err
	}
	err = w.database(files.ASN, "GeoLite2-ASN", func(p *pool) mmdbtype.DataType {
		return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(p.asn)}
	})
	if err != nil {
		return Files{}, err
	}
	if err := os.WriteFile(files.Threats, []byte(strings.Join(w.listed, "\n")+"\n"), 0o600); err != nil {
		return Files{}, err
	}
	days := "date,day,kind,remark\n"
	for _, day := range slices.Sorted(maps.Keys(holidays())) {
		days += strings.ReplaceAll(day, "-", "") + ",,2,\n"
	}
	if err := os.WriteFile(files.Holidays, []byte(days), 0o600); err != nil {
		return Files{}, err
	}
	return files, nil
}

// networks are the fewest that make up the pool.
func (p *pool) networks() []*net.IPNet {
	var out []*net.IPNet
	first, end := p.first, p.first+uint32(p.nets)*addressesPer24 // #nosec G115 -- small counts
	for first < end {
		size := bits.TrailingZeros32(first)
		for first+1<<size > end || size > 24 {
			size--
		}
		ip := make(net.IP, net.IPv4len)
		binary.BigEndian.PutUint32(ip, first)
		out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(32-size, 32)})
		first += 1 << size
	}
	return out
}

func (w *World) database(path, kind string, record func(*pool) mmdbtype.DataType) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, BuildEpoch: w.config.Start.Unix(), RecordSize: 28})
	if err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	for _, p := range w.addresses.pools {
		value := record(p)
		for _, network := range p.networks() {
			if err := tree.Insert(network, value); err != nil {
				return fmt.Errorf("generator: %w", err)
			}
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // #nosec G304 -- the caller's own folder
	if err != nil {
		return err
	}
	if _, err := tree.WriteTo(io.Writer(file)); err != nil {
		_ = file.Close() // the first error is told
		return fmt.Errorf("generator: %w", err)
	}
	return file.Close()
}

// Settings are those of the shipped plugins for these files, by plugin.
func (f Files) Settings() map[string]json.RawMessage {
	lookup := map[string]any{"database": f.City, "asn_database": f.ASN}
	out := map[string]json.RawMessage{}
	for name, settings := range map[string]any{
		"networknovelty": lookup,
		"traveltime":     map[string]any{"database": f.City},
		"threatlist":     map[string]any{"networks": []string{f.Threats}},
		"unusualhours":   map[string]any{"holidays": []string{f.Holidays}},
	} {
		text, _ := json.Marshal(settings) // texts alone
		out[name] = text
	}
	return out
}
