package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// join finds what the feed knows of one inventory.
func join(f *Feed, n *Names, in wire.Inventory, digest []byte) wire.Vulnerabilities {
	found := wire.Vulnerabilities{Inventory: digest, FeedAsOf: f.AsOf, Covered: true}
	counted := map[[2]string]bool{} // a vulnerability counts once a program
	note := func(s wire.Software, name string, one flaw) {
		if counted[[2]string{one.cve, name}] {
			return
		}
		counted[[2]string{one.cve, name}] = true
		found.Known++
		if one.cvss >= 9 { // "critical" of CVSS 3.1 and 4.0
			found.Critical++
		}
		found.MaxCVSS, found.MaxEPSS = max(found.MaxCVSS, one.cvss), max(found.MaxEPSS, one.epss)
		if !one.since.IsZero() {
			found.ExploitedCount++
			found.Exploited = append(found.Exploited, wire.Vulnerability{
				CVE: one.cve, Software: name, Version: s.Version, Fixed: one.fixed, CVSS: one.cvss, EPSS: one.epss, ExploitedSince: one.since,
			})
		}
	}
	systems := map[wire.SoftwareSource][]string{}
	for _, s := range in.Software {
		switch s.Source {
		case wire.SoftwareDpkg, wire.SoftwareRPM:
			known, asked := systems[s.Source]
			if !asked {
				known = f.covering(s.Source, in)
				systems[s.Source] = known
				found.Covered = found.Covered && len(known) > 0
			}
			for _, one := range f.ofPackage(known, s) {
				note(s, origin(s), one)
			}
		default:
			found.Covered = found.Covered && f.knows(n, in.System)
			p, _ := n.product(s)
			for _, one := range f.ofProduct(p, s.Source, makersVersion(s)) {
				note(s, s.Name, one)
			}
		}
	}
	f.joinSystem(n, in, note)
	found.Covered = found.Covered && len(in.Software) > 0
	oldestFirst(found.Exploited)
	found.Exploited = found.Exploited[:min(len(found.Exploited), wire.MaxExploited)]
	return found
}

// joinSystem holds systems that are updated as one, Windows and macOS, against
// their own release. A distribution's release says nothing of its packages.
func (f *Feed) joinSystem(n *Names, in wire.Inventory, note func(wire.Software, string, flaw)) {
	p, known := n.system(in.System)
	if !known {
		return
	}
	for _, one := range f.ofProduct(p, wire.SoftwareRegistry, in.Release) {
		note(wire.Software{Name: in.System, Version: in.Release}, in.System, one)
	}
}

// knows reports whether the feed says anything of an operating system that is
// updated as one. A feed of distributions' packages alone says nothing of it,
// nor of the programs on it.
func (f *Feed) knows(n *Names, system string) bool {
	p, known := n.system(system)
	return known && len(f.products[p]) > 0
}

// covering are the feed's names for this operating system: "rhel 9" covers 9.4.
func (f *Feed) covering(source wire.SoftwareSource, in wire.Inventory) []string {
	var names []string
	for name := range f.systems[source] {
		id, release, _ := strings.Cut(name, " ")
		if id == in.System && (release == in.Release || strings.HasPrefix(in.Release, release+".")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (f *Feed) ofPackage(systems []string, s wire.Software) []flaw {
	var all []flaw
	names := []string{s.Name}
	if s.Origin != "" {
		names = append(names, s.Origin)
	}
	for _, system := range systems {
		for _, name := range names {
			for _, one := range f.packages[packageKey{s.Source, system, name}] {
				if within(s.Source, s.Version, one) {
					all = append(all, one)
				}
			}
		}
	}
	return all
}

func (f *Feed) ofProduct(p product, source wire.SoftwareSource, version string) []flaw {
	var all []flaw
	for _, one := range f.products[p] {
		if within(source, version, one) {
			all = append(all, one)
		}
	}
	return all
}

// within reports whether a version is affected. One that cannot be read is: it
// is better to ask about a healthy machine than to miss an ill one.
func within(source wire.SoftwareSource, version string, one flaw) bool {
	if one.from != "" {
		if earlier, readable := before(source, version, one.from); readable && earlier {
			return false
		}
	}
	if one.fixed == "" {
		return true
	}
	earlier, readable := before(source, version, one.fixed)
	return earlier || !readable
}

func oldestFirst(all []wire.Vulnerability) {
	slices.SortFunc(all, func(a, b wire.Vulnerability) int {
		return cmp.Or(a.ExploitedSince.Compare(b.ExploitedSince), cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(a.CVE, b.CVE), cmp.Compare(a.Software, b.Software))
	})
}
