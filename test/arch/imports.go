package arch

import (
	"path"
	"slices"
	"strings"
)

// sides is rule 1: agent and pdp never import each other; nothing imports cmd
// or test, tests too, but for the packages there that serve tests; internal is
// below all of them and bridges none.
func sides(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, i := range u.imports {
			to := t.relative(i)
			for _, pair := range [...][2]string{{"agent", "pdp"}, {"pdp", "agent"}, {"internal", "agent"}, {"internal", "pdp"}, {"internal", "plugins"}, {"agent", "plugins"}, {"plugins", "pdp"}, {"plugins", "agent"}} {
				if t.own(i) && under(u.path, pair[0]) && under(to, pair[1]) {
					found = append(found, u.path+" imports "+to)
				}
			}
		}
		for _, i := range slices.Concat(u.imports, u.testImports) {
			to := t.relative(i)
			if !t.own(i) || to == u.path {
				continue
			}
			if under(to, "cmd") || (under(to, "test") && !under(u.path, "test") && !underAny(to, helperPackages)) {
				found = append(found, u.path+" imports "+to)
			}
		}
	}
	return found
}

// siblings is rule 2: below agent and below pdp a package imports its
// ancestors and descendants alone, and store's root.
func siblings(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, side := range [...]string{"agent", "pdp"} {
			for _, i := range u.imports {
				to := t.relative(i)
				if !t.own(i) || !under(u.path, side) || !under(to, side) || to == "pdp/store" {
					continue
				}
				if !under(u.path, to) && !under(to, u.path) {
					found = append(found, u.path+" imports its sibling "+to)
				}
			}
		}
	}
	return found
}

// libraries are the folders under plugins that are no plugin.
var libraries = []string{"plugins/contract", "plugins/contracttest", "plugins/host"}

// pluginData names the data libraries that a plugin may import beside the
// contract.
var pluginData = map[string][]string{
	"plugins/networknovelty": {"github.com/oschwald/maxminddb-golang/v2"},
	"plugins/traveltime":     {"github.com/oschwald/maxminddb-golang/v2"},
}

// pluginImports is rule 5, and the end of rule 2: host and contracttest import
// the contract, the contract nothing of this module.
func pluginImports(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		if !under(u.path, "plugins") {
			continue
		}
		library := underAny(u.path, libraries)
		for _, i := range u.imports {
			to := t.relative(i)
			within := under(to, pluginRoot(u.path)) || (under(to, "plugins/contract") && pluginRoot(u.path) != "plugins/contract")
			switch {
			case t.standard(i), within:
			case library && !t.own(i): // judged by the owners of dependencies
			case library && under(to, "internal") && pluginRoot(u.path) == "plugins/host": // the host speaks the PDP's values
			case slices.Contains(pluginData[pluginRoot(u.path)], i):
			default:
				found = append(found, u.path+" imports "+to)
			}
		}
	}
	return found
}

// pluginRoot returns "plugins/x" for everything at or below it.
func pluginRoot(p string) string {
	parts := strings.SplitN(p, "/", 3)
	return path.Join(parts[:min(2, len(parts))]...)
}

// helperPackages serve tests: a software TPM and its firmware, an
// attacker, a receiver of events, suites. Whatever
// is shipped imports none of them (testHelpers).
var helperPackages = []string{"internal/swtpm", "test/firmware", "test/attacker", "pdp/store/storetest", "plugins/contracttest", "test/ssf"}

// testHelpers keeps packages that serve tests out of what is shipped.
func testHelpers(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, i := range u.imports {
			to := t.relative(i)
			if t.own(i) && underAny(to, helperPackages) && !underAny(u.path, helperPackages) && !under(u.path, "test") {
				found = append(found, u.path+" imports "+to)
			}
		}
	}
	return found
}
