package pdp

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Config is the PDP's YAML file. Unknown keys are refused.
type Config struct {
	// Data is the folder of store, audit log and keys; it belongs to the PDP's user.
	Data string `yaml:"data"`

	Web         WebConfig         `yaml:"web"`
	Agents      AgentsConfig      `yaml:"agents"`
	Proxies     ProxiesConfig     `yaml:"proxies"`
	Admin       AdminConfig       `yaml:"admin"`
	Attestation AttestationConfig `yaml:"attestation"`
	Inventory   InventoryConfig   `yaml:"inventory"`
	WebAuthn    WebAuthnConfig    `yaml:"webauthn"`
	Policy      PolicyConfig      `yaml:"policy"`
	Trust       TrustConfig       `yaml:"trust"`
	Plugins     PluginsConfig     `yaml:"plugins"`
	Audit       AuditConfig       `yaml:"audit"`
	Signals     SignalsConfig     `yaml:"signals"`
	Operations  OperationsConfig  `yaml:"operations"`
	Log         LogConfig         `yaml:"log"`

	// file is where it was read from; empty if it was not read from a file.
	file string
}

// WebConfig is the people's listener: sign-in, registration, JWKS.
type WebConfig struct {
	Listen string `yaml:"listen"`
	// Origin is what browsers see, such as https://pdp.example.gov.tw.
	Origin      string `yaml:"origin"`
	Certificate string `yaml:"certificate"` // PEM, chain
	Key         string `yaml:"key"`         // PEM
}

// AgentsConfig is the agents' listener. Its certificate comes from the private CA.
type AgentsConfig struct {
	Listen string `yaml:"listen"`
	// Names are the host names and addresses that agents reach it by.
	Names []string `yaml:"names"`
}

// ProxiesConfig is the listener that portals' proxies ask. Its certificate
// comes from the private CA.
type ProxiesConfig struct {
	Listen string   `yaml:"listen"`
	Names  []string `yaml:"names"`
	// GRPCListen is where Envoy asks (ext_authz); empty if there is none.
	GRPCListen string `yaml:"grpc_listen"`
}

// AdminConfig is the administrators' Unix socket.
type AdminConfig struct {
	Socket string `yaml:"socket"`
	// UIDs are the users besides root who may use it.
	UIDs []uint32 `yaml:"uids"`
}

// AttestationConfig sets how often devices attest and when silence counts.
type AttestationConfig struct {
	Interval    yamlfile.Duration `yaml:"interval"`
	SilentAfter yamlfile.Duration `yaml:"silent_after"`
	// EndorsementCAs is a folder of PEM certificates of TPM makers' roots and
	// intermediates.
	EndorsementCAs string `yaml:"endorsement_cas"`
	// SupportedOS lists the releases that count as supported, as ID and
	// VERSION_ID of os-release(5): "debian 12".
	SupportedOS []string `yaml:"supported_os"`
	// RequiredClaims lists the claims that every device must make and pass to
	// count as affirming; verifier.DefaultRequired where there is no list.
	RequiredClaims []string `yaml:"required_claims"`
	// Baselines are the configuration baselines (GCB) that devices are held
	// against; none if there is no list. The claim "gcb" demands that they pass.
	Baselines []BaselineConfig `yaml:"baselines"`
	// Reference is about boot reference values.
	Reference ReferenceConfig `yaml:"reference"`
}

// InventoryConfig is about the software on devices.
type InventoryConfig struct {
	// Names is a file that adds to the table of vendors and products.
	Names string `yaml:"names"`
	// Feed is the file of known vulnerabilities; empty where there is none.
	Feed string `yaml:"feed"`
	// ExploitedWithin is how long a vulnerability may stay once it is known to
	// be exploited, FeedLife how old the feed may be.
	ExploitedWithin yamlfile.Duration `yaml:"exploited_within"`
	FeedLife        yamlfile.Duration `yaml:"feed_life"`
}

// ReferenceConfig says how boot reference values are approved and applied.
type ReferenceConfig struct {
	// Approvers is how many administrators must approve a bundle: 1 or 2.
	Approvers int `yaml:"approvers"`
	// DenyUnknownEvents makes an event of an unknown kind contraindicate a boot.
	DenyUnknownEvents bool `yaml:"deny_unknown_events"`
}

// WebAuthnConfig says which security keys are accepted.
type WebAuthnConfig struct {
	// Metadata is a FIDO metadata BLOB on disk.
	Metadata string `yaml:"metadata"`
	// Models are the accepted AAGUIDs; empty accepts every hardware key that
	// the metadata certifies.
	Models []string `yaml:"models"`
	// PermitTestAuthenticators accepts a browser's virtual authenticator. Every
	// page then says so.
	PermitTestAuthenticators bool `yaml:"permit_test_authenticators"`
}

// PolicyConfig names the access policy, and says how another comes into force.
type PolicyConfig struct {
	// Folder holds .cedar files; empty means the shipped Class A baseline. It is
	// in force until officers activate a set by menshenctl policy.
	Folder string `yaml:"folder"`
	// Approvers is how many officers must approve an activation: 1 or 2.
	Approvers int `yaml:"approvers"`
	// ConfirmAbove is the share of people, in percent, that may lose access in a
	// what-if before an activation must be confirmed by typing.
	ConfirmAbove int `yaml:"confirm_above"`
}

// TrustConfig sets how often plugins are asked again, and how they are added up.
type TrustConfig struct {
	Refresh yamlfile.Duration `yaml:"refresh"`
	// Weights is a file of the fusion's constants; empty is the shipped set.
	Weights string `yaml:"weights"`
}

// PluginsConfig lists the inference plugins.
type PluginsConfig struct {
	// Folder holds the programs; it belongs to root alone.
	Folder string `yaml:"folder"`
	// Launcher is the socket of "menshen-pdp launcher", which runs each plugin
	// as a user of its own; without it they run as the PDP's, where it is not root.
	Launcher string         `yaml:"launcher"`
	Run      []PluginConfig `yaml:"run"`
}

// PluginConfig is one inference plugin.
type PluginConfig struct {
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"`
	// Cluster is the group of plugins whose verdicts are correlated with it.
	Cluster wire.Cluster `yaml:"cluster"`
	// UID is the user that the plugin runs as, where there is a launcher with
	// root's rights; 0 has one chosen for it.
	UID      uint32            `yaml:"uid"`
	Deadline yamlfile.Duration `yaml:"deadline"`
	// MemoryMiB bounds the plugin's data; 0 means 512.
	MemoryMiB int `yaml:"memory_mib"`
	// Read lists the files and folders that the plugin may read. Name the folder
	// of a file that is exchanged while the plugin runs.
	Read []string `yaml:"read"`
	// Network lets it open TCP connections. It must be what the plugin asks for.
	Network bool `yaml:"network"`
	// Settings are the plugin's own.
	Settings map[string]any `yaml:"settings"`
	// Interpreter runs a plugin that is no native program.
	Interpreter *PluginInterpreter `yaml:"interpreter"`
	// Shadow has it asked and recorded, and counted in no score.
	Shadow bool `yaml:"shadow"`
}

// PluginInterpreter is an interpreter and its own checksum.
type PluginInterpreter struct {
	// Path is absolute and no link, such as /usr/bin/python3.11.
	Path   string `yaml:"path"`
	SHA256 string `yaml:"sha256"`
	// Arguments before the program, such as -I.
	Arguments []string `yaml:"arguments"`
}

// AuditConfig sets the audit log's room, and how long what decisions were
// taken from can be read.
type AuditConfig struct {
	// ReserveMiB is room kept back for administration when the disk is full.
	ReserveMiB int `yaml:"reserve_mib"`
	// InputsDays is how long the inputs of decisions are kept: no longer, and
	// at most 30 days less.
	InputsDays int `yaml:"inputs_days"`
}

// LogConfig sets the program's own log.
type LogConfig struct {
	Level slog.Level `yaml:"level"`
}

// Default returns the configuration that a file adds to.
func Default() Config {
	return Config{
		Data:        "/var/lib/menshen-pdp",
		Web:         WebConfig{Listen: ":443"},
		Agents:      AgentsConfig{Listen: ":8444"},
		Proxies:     ProxiesConfig{Listen: "127.0.0.1:8445", Names: []string{"127.0.0.1", "localhost"}},
		Admin:       AdminConfig{Socket: "/run/menshen-pdp/admin.sock"},
		Attestation: AttestationConfig{Interval: every(5 * time.Minute), SilentAfter: every(time.Minute), EndorsementCAs: "/etc/menshen/endorsement-cas", Reference: ReferenceConfig{Approvers: 1}},
		Inventory:   InventoryConfig{ExploitedWithin: every(14 * day), FeedLife: every(7 * day)},
		Policy:      PolicyConfig{Approvers: 2, ConfirmAbove: 5},
		Trust:       TrustConfig{Refresh: every(45 * time.Second)},
		Plugins:     PluginsConfig{Folder: "/usr/lib/menshen/plugins"},
		Audit:       AuditConfig{ReserveMiB: 64, InputsDays: 180},
	}
}

const day = 24 * time.Hour

func every(d time.Duration) yamlfile.Duration { return yamlfile.Duration{Duration: d} }

// LoadConfig reads a configuration file over the defaults.
func LoadConfig(file string) (Config, error) {
	c := Default()
	err := yamlfile.Load(file, &c)
	c.file = file
	return c, err
}

// Check says which values are wrong and where they stand.
func (c *Config) Check() []yamlfile.Fault {
	var faults []yamlfile.Fault
	wrong := func(path, problem string, args ...any) {
		faults = append(faults, yamlfile.Fault{Path: path, Problem: fmt.Sprintf(problem, args...)})
	}
	if !filepath.IsAbs(c.Data) {
		wrong("$.data", "must be an absolute path")
	}
	if problem := originProblem(c.Web.Origin); problem != "" {
		wrong("$.web.origin", "%s", problem)
	}
	if c.Web.Certificate == "" || c.Web.Key == "" {
		wrong("$.web.certificate", "certificate and key are needed: pages are served over TLS only")
	}
	for path, address := range map[string]string{"$.web.listen": c.Web.Listen, "$.agents.listen": c.Agents.Listen, "$.proxies.listen": c.Proxies.Listen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			wrong(path, "must be HOST:PORT or :PORT")
		}
	}
	if c.Proxies.GRPCListen != "" {
		if _, _, err := net.SplitHostPort(c.Proxies.GRPCListen); err != nil {
			wrong("$.proxies.grpc_listen", "must be HOST:PORT or :PORT, or be left out")
		}
	}
	if len(c.Agents.Names) == 0 {
		wrong("$.agents.names", "the names that agents reach the PDP by are needed")
	}
	if len(c.Proxies.Names) == 0 {
		wrong("$.proxies.names", "the names that proxies reach the PDP by are needed")
	}
	if !filepath.IsAbs(c.Admin.Socket) {
		wrong("$.admin.socket", "must be an absolute path")
	}
	if c.Attestation.Reference.Approvers < 1 || c.Attestation.Reference.Approvers > 2 {
		wrong("$.attestation.reference.approvers", "must be 1 or 2")
	}
	if c.Policy.Approvers < 1 || c.Policy.Approvers > 2 {
		wrong("$.policy.approvers", "must be 1 or 2")
	}
	if c.Policy.ConfirmAbove < 0 || c.Policy.ConfirmAbove > 100 {
		wrong("$.policy.confirm_above", "must be from 0 to 100, in percent")
	}
	c.checkTimes(wrong)
	c.checkPlugins(wrong)
	c.Operations.check(wrong)
	if c.Audit.ReserveMiB < 1 {
		wrong("$.audit.reserve_mib", "must be at least 1: administration needs room on a full disk")
	}
	if c.Audit.InputsDays < minInputsDays || c.Audit.InputsDays > maxInputsDays {
		wrong("$.audit.inputs_days", "must be from %d to %d", minInputsDays, maxInputsDays)
	}
	return faults
}

func (c *Config) checkTimes(wrong func(path, problem string, args ...any)) {
	within := func(path string, d yamlfile.Duration, low, high time.Duration) {
		if d.Duration < low || d.Duration > high {
			wrong(path, "must be from %v to %v", low, high)
		}
	}
	within("$.attestation.interval", c.Attestation.Interval, time.Second, time.Hour)
	within("$.attestation.silent_after", c.Attestation.SilentAfter, time.Second, 10*time.Minute)
	within("$.inventory.exploited_within", c.Inventory.ExploitedWithin, day, 365*day)
	within("$.inventory.feed_life", c.Inventory.FeedLife, day, 90*day)
	within("$.trust.refresh", c.Trust.Refresh, time.Second, 5*time.Minute)
}

func originProblem(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Host == "":
		return "must be an https origin such as https://pdp.example.gov.tw"
	case u.Scheme != "https":
		return "must be https"
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "must have neither path nor query: scheme, host and port only"
	}
	return ""
}
