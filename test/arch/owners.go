package arch

import "strings"

// owner says which folders may import a module.
type owner struct {
	module  string
	folders []string
}

// owners is rule 4, continued to every dependency: one that is not named here
// has no owner yet, and fails until somebody names it with thought. The
// longest name that fits an import counts. Tests may use any of them as a peer
// or an oracle.
var owners = []owner{
	{"github.com/google/go-tpm", []string{"agent/tpm", "pdp/verifier"}},
	{"github.com/google/go-tpm/tpm2/transport", []string{"agent/tpm"}},
	{"github.com/hashicorp/go-plugin", []string{"plugins/contract", "plugins/host"}},
	{"github.com/hashicorp/go-hclog", []string{"plugins/contract", "plugins/host"}},
	{"google.golang.org/grpc", []string{"plugins/contract", "plugins/host", "pdp/decision/extauthz"}},
	{"google.golang.org/protobuf", []string{"plugins/contract"}},
	// Envoy's own interface definitions, and the status that they speak.
	{"github.com/envoyproxy/go-control-plane/envoy", []string{"pdp/decision/extauthz"}},
	{"google.golang.org/genproto/googleapis/rpc/status", []string{"pdp/decision/extauthz"}},
	{"github.com/landlock-lsm/go-landlock", []string{"plugins/host"}},
	// Addresses to operators, countries and places, from files in MaxMind's
	// format; the writer of such files for made-up addresses.
	{"github.com/oschwald/maxminddb-golang/v2", []string{"plugins/networknovelty", "plugins/traveltime"}},
	{"github.com/maxmind/mmdbwriter", []string{"pdp/trust/backtest", "test"}},
	{"github.com/go-webauthn/webauthn", []string{"pdp/ceremony"}},
	{"github.com/google/uuid", []string{"pdp/ceremony"}}, // go-webauthn's metadata speaks it
	// The field's own two ways to be looked at; both kept by their foundations.
	{"github.com/prometheus/client_golang", []string{"pdp/telemetry"}},
	{"go.opentelemetry.io/otel", []string{"pdp/telemetry"}},
	{"go.opentelemetry.io/proto/otlp", []string{"test"}}, // what a collector receives
	{"go.etcd.io/bbolt", []string{"pdp/store/bolt"}},
	{"go.etcd.io/etcd", []string{"pdp/store/etcd"}},
	{"github.com/cedar-policy/cedar-go", []string{"pdp/policy"}},
	{"github.com/go-jose/go-jose/v4", []string{"pdp/token", "examples/portal"}},
	{"github.com/go-json-experiment/json", []string{"internal/strictjson"}},
	{"github.com/goccy/go-yaml", []string{"internal/yamlfile"}},
	{"github.com/kardianos/service", []string{"cmd"}},
	// How Debian's and RPM's versions compare: two small libraries that a
	// vulnerability scanner keeps up.
	{"github.com/knqyf263/go-deb-version", []string{"internal/packageversion"}},
	{"github.com/knqyf263/go-rpm-version", []string{"internal/packageversion"}},
	{"github.com/spf13/cobra", []string{"cmd"}},
	{"github.com/go-ole/go-ole", []string{"agent/posture"}}, // Windows' COM and WMI
	{"github.com/google/nftables", []string{"agent/helper", "agent/posture"}},
	{"github.com/mdlayher/netlink", []string{"agent/helper", "agent/remedy"}}, // one reads the packet filter, the other writes a table of its own,
	{"github.com/nicksnyder/go-i18n/v2", []string{"pdp/web"}},
	{"github.com/chromedp", []string{"test"}},
	{"github.com/rogpeppe/go-internal", []string{"test"}},
	// Oracles of the event log and its public logs: in test files alone.
	{"github.com/google/go-attestation", []string{"test"}},
	{"github.com/google/go-tpm-tools", []string{"test"}},
	// The Go project's own extensions of its standard library.
	{"golang.org/x/text", []string{"internal/reason", "pdp/web", "cmd"}},
	{"golang.org/x/sys", []string{"agent", "cmd", "pdp/store", "pdp/audit", "pdp/admin", "plugins/host", "test", "internal/command"}},
	{"golang.org/x/net", []string{"agent", "pdp"}},
}

func owned(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		if underAny(u.path, helperPackages) { // tests, in packages of their own
			continue
		}
		for _, i := range u.imports {
			if t.own(i) || t.standard(i) {
				continue
			}
			o := ownerOf(i)
			switch {
			case o == nil:
				found = append(found, u.path+" imports "+i+", which has no owner in test/arch/owners.go")
			case !underAny(u.path, o.folders):
				found = append(found, u.path+" imports "+i+", which belongs to "+strings.Join(o.folders, ", "))
			}
		}
	}
	return found
}

// ownerOf returns the most exact owner of an import path, nil if there is none.
func ownerOf(path string) *owner {
	var best *owner
	for _, o := range owners {
		if under(path, o.module) && (best == nil || len(o.module) > len(best.module)) {
			best = &o
		}
	}
	return best
}
