package inventory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of a feed.
const (
	maxFeedBytes       = 256 << 20
	maxVulnerabilities = 1 << 20
)

// ErrFeed says that a feed cannot be used; its text says where and why.
var ErrFeed = errors.New("inventory: vulnerability feed")

// feedFile is the feed's JSON document, docs/operations.md says how to make one.
type feedFile struct {
	Version         int         `json:"version"` // 1
	AsOf            time.Time   `json:"as_of"`
	Vulnerabilities []feedEntry `json:"vulnerabilities"`
}

type feedEntry struct {
	CVE string `json:"cve"`
	// CVSS is the base score, EPSS the probability of exploitation in 30 days.
	CVSS float64 `json:"cvss"`
	EPSS float64 `json:"epss"`
	// KEV is the day since when exploitation is known, as 2026-01-31.
	KEV      string     `json:"kev,omitempty"`
	Affected []affected `json:"affected"`
}

// affected is either a package of a distribution or a product by its CPE name.
type affected struct {
	// Source, System and Package name a distribution's package: its source
	// package or its own name. System is as in supported_os: "debian 12".
	Source  wire.SoftwareSource `json:"source,omitempty"`
	System  string              `json:"system,omitempty"`
	Package string              `json:"package,omitempty"`
	// CPE is a CPE 2.3 name; part, vendor and product count.
	CPE string `json:"cpe,omitempty"`
	// From is the first version with the vulnerability; empty for all before
	// Fixed. Fixed is the first without; empty where there is none.
	From  string `json:"from,omitempty"`
	Fixed string `json:"fixed,omitempty"`
}

// Feed is a feed of vulnerabilities, indexed by what they affect.
type Feed struct {
	AsOf time.Time
	// Entries counts the vulnerabilities.
	Entries  int
	packages map[packageKey][]flaw
	products map[product][]flaw
	systems  map[wire.SoftwareSource]map[string]bool
}

type packageKey struct {
	source wire.SoftwareSource
	system string
	name   string
}

// flaw is one vulnerability as it concerns one package or product.
type flaw struct {
	cve         string
	cvss, epss  float64
	since       time.Time
	from, fixed string
}

// LoadFeed reads a feed from a file.
func LoadFeed(path string) (*Feed, error) {
	file, err := os.Open(path) // #nosec G304 -- the configured path
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFeed, err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxFeedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFeed, err)
	}
	if len(raw) > maxFeedBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrFeed, maxFeedBytes)
	}
	return ParseFeed(raw)
}

// ParseFeed reads a feed. One wrong entry refuses the whole: a feed that lost
// an entry would make a vulnerable machine look healthy.
func ParseFeed(raw []byte) (*Feed, error) {
	var document feedFile
	if err := strictjson.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFeed, err)
	}
	switch {
	case document.Version != 1:
		return nil, fmt.Errorf("%w: version %d, this program knows 1", ErrFeed, document.Version)
	case document.AsOf.IsZero():
		return nil, fmt.Errorf("%w: it does not say as_of when it was made", ErrFeed)
	case len(document.Vulnerabilities) == 0 || len(document.Vulnerabilities) > maxVulnerabilities:
		return nil, fmt.Errorf("%w: %d vulnerabilities", ErrFeed, len(document.Vulnerabilities))
	}
	f := &Feed{
		AsOf: document.AsOf, Entries: len(document.Vulnerabilities),
		packages: map[packageKey][]flaw{}, products: map[product][]flaw{}, systems: map[wire.SoftwareSource]map[string]bool{},
	}
	for i, e := range document.Vulnerabilities {
		if err := f.add(e); err != nil {
			return nil, fmt.Errorf("%w: entry %d, %.40q: %w", ErrFeed, i+1, e.CVE, err)
		}
	}
	return f, nil
}

func (f *Feed) add(e feedEntry) error {
	if !strings.HasPrefix(e.CVE, "CVE-") || len(e.CVE) > 30 {
		return errors.New("not a CVE number")
	}
	if !(e.CVSS >= 0 && e.CVSS <= 10) || !(e.EPSS >= 0 && e.EPSS <= 1) {
		return errors.New("cvss goes from 0 to 10, epss from 0 to 1")
	}
	if len(e.Affected) == 0 {
		return errors.New("nothing is affected")
	}
	one := flaw{cve: e.CVE, cvss: e.CVSS, epss: e.EPSS}
	if e.KEV != "" {
		since, err := time.Parse(time.DateOnly, e.KEV)
		if err != nil {
			return errors.New("kev is a day such as 2026-01-31")
		}
		if since.After(f.AsOf) {
			return errors.New("kev lies after as_of")
		}
		one.since = since
	}
	for _, a := range e.Affected {
		if err := f.index(a, one); err != nil {
			return err
		}
	}
	return nil
}

func (f *Feed) index(a affected, one flaw) error {
	one.from, one.fixed = a.From, a.Fixed
	switch named := a.Source != "" || a.System != "" || a.Package != ""; {
	case named == (a.CPE != ""):
		return errors.New("an affected product is named by source, system and package, or by cpe")
	case a.CPE != "":
		name, err := parseCPE(a.CPE)
		if err != nil {
			return err
		}
		f.products[name] = append(f.products[name], one)
		return nil
	case a.Source != wire.SoftwareDpkg && a.Source != wire.SoftwareRPM:
		return fmt.Errorf("source %q: a distribution's packages are dpkg or rpm", a.Source)
	case a.System == "" || a.Package == "":
		return errors.New("a package needs a system and a name")
	}
	for _, v := range [...]string{a.From, a.Fixed} {
		if _, readable := before(a.Source, v, v); v != "" && !readable {
			return fmt.Errorf("version %q cannot be read", v)
		}
	}
	key := packageKey{a.Source, a.System, a.Package}
	f.packages[key] = append(f.packages[key], one)
	if f.systems[a.Source] == nil {
		f.systems[a.Source] = map[string]bool{}
	}
	f.systems[a.Source][a.System] = true
	return nil
}
