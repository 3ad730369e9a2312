package inventory

import (
	"cmp"
	_ "embed" // names.yaml
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

//go:embed names.yaml
var namesText []byte

// Names maps software, as its source calls it, to the vendor and product of the
// CPE dictionary. A product that is not in the table keeps its own name, and is
// said to be guessed: it is in the inventory, and a person can add it.
type Names struct {
	packages map[string]product
	// starts holds display names' beginnings, the longest first.
	starts  []start
	systems map[string]product
}

type start struct {
	text string
	product
}

type namesFile struct {
	// Packages name source packages of distributions, Applications the
	// beginnings of display names on Windows and macOS, Systems the ids of
	// operating systems. Each is "vendor:product".
	Packages     map[string]string `yaml:"packages"`
	Applications map[string]string `yaml:"applications"`
	Systems      map[string]string `yaml:"systems"`
}

// Check implements yamlfile.Checker.
func (n *namesFile) Check() []yamlfile.Fault {
	var faults []yamlfile.Fault
	for section, names := range map[string]map[string]string{"packages": n.Packages, "applications": n.Applications, "systems": n.Systems} {
		for name, value := range names {
			vendor, prod, ok := strings.Cut(value, ":")
			if !ok || vendor == "" || prod == "" || strings.Contains(prod, ":") || name == "" {
				faults = append(faults, yamlfile.Fault{Path: "$." + section + "." + name, Problem: `must be "vendor:product"`})
			}
		}
	}
	return faults
}

// LoadNames returns the shipped table and what the file adds to it or puts in
// its place; no file if path is empty.
func LoadNames(path string) (*Names, error) {
	n := &Names{packages: map[string]product{}, systems: map[string]product{}}
	var shipped, added namesFile
	if err := yamlfile.Decode("names.yaml", namesText, &shipped); err != nil {
		return nil, err
	}
	applications := map[string]product{}
	n.take(shipped, applications)
	if path != "" {
		if err := yamlfile.Load(path, &added); err != nil {
			return nil, err
		}
		n.take(added, applications)
	}
	for text, p := range applications {
		n.starts = append(n.starts, start{text, p})
	}
	slices.SortFunc(n.starts, func(a, b start) int { return cmp.Or(len(b.text)-len(a.text), strings.Compare(a.text, b.text)) })
	return n, nil
}

func (n *Names) take(f namesFile, applications map[string]product) {
	read := func(part, value string) product {
		vendor, prod, _ := strings.Cut(value, ":")
		return product{part, strings.ToLower(vendor), strings.ToLower(prod)}
	}
	for name, value := range f.Packages {
		n.packages[name] = read("a", value)
	}
	for name, value := range f.Systems {
		n.systems[name] = read("o", value)
	}
	for name, value := range f.Applications {
		applications[strings.ToLower(name)] = read("a", value)
	}
}

// product names software; known is false where the name is only guessed.
func (n *Names) product(s wire.Software) (p product, known bool) {
	switch s.Source {
	case wire.SoftwareDpkg, wire.SoftwareRPM:
		name := origin(s)
		if p, known = n.packages[name]; known {
			return p, true
		}
		return product{"a", name, name}, false
	}
	display := strings.ToLower(s.Name)
	for _, one := range n.starts {
		if rest, ok := strings.CutPrefix(display, one.text); ok && (rest == "" || !letter(rest[0])) {
			return one.product, true
		}
	}
	vendor := s.Vendor
	if vendor == "" {
		vendor = s.Name
	}
	return product{"a", strings.ToLower(vendor), display}, false
}

// letter keeps "Go" from naming "Google Chrome".
func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 0x80 }

// system is the operating system's own product.
func (n *Names) system(id string) (p product, known bool) {
	if p, known = n.systems[id]; known {
		return p, true
	}
	return product{"o", id, id}, false
}

// origin is the source package of a distribution's package.
func origin(s wire.Software) string {
	if s.Origin != "" {
		return s.Origin
	}
	return s.Name
}
