package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/agent/posture"
	"github.com/menshen-zt/menshen/agent/remedy"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Config is the agent's YAML file. Unknown keys are refused.
type Config struct {
	// TPM is the device, "/dev/tpmrm0" or "unix:" and a software TPM's socket.
	TPM string `yaml:"tpm"`
	// Keys says where the device's keys live: "tpm", or "software" for a machine
	// that has none. It is never guessed: a missing TPM is an error.
	Keys string `yaml:"keys"`
	// SoftwareSecret is the file of 32 bytes that opens software keys. Without
	// it, systemd's credential menshen-agent-secret.
	SoftwareSecret string `yaml:"software_secret"`
	// PDP is the agents' port as host:port. Once enrolled it may be left out;
	// where it is given it wins over the address that the device enrolled at.
	PDP string `yaml:"pdp"`
	// State is the agent's file; its directory belongs to the agent's user.
	State string `yaml:"state"`
	// Helper and Control are the Unix sockets of the privileged helper and for
	// `status` and `check`.
	Helper  string `yaml:"helper"`
	Control string `yaml:"control"`
	// EventLog is the firmware's TCG event log and IMAList Linux's run-time
	// measurement list, as the kernel shows them. Agent and helper read them here.
	EventLog string `yaml:"event_log"`
	IMAList  string `yaml:"ima_list"`
	// Remedy is the Unix socket of the process that repairs things, Remedies
	// what it may repair: nothing, unless an administrator names it.
	Remedy   string   `yaml:"remedy"`
	Remedies []string `yaml:"remedies"`
	// HelperUser is whom the helper answers: a name or a number. Without it,
	// the owner of the state's directory.
	HelperUser string `yaml:"helper_user"`
	// Port is the loopback port that the sign-in page asks.
	Port int `yaml:"port"`
	// Seat is "logind", or "none" where nothing tells who sits at the machine;
	// the PDP is then told so. Users may then be named, all are served if none is.
	Seat  string   `yaml:"seat"`
	Users []string `yaml:"users"`
	// ScreenLockWithin is the longest time until an idle screen must be locked.
	ScreenLockWithin yamlfile.Duration `yaml:"screen_lock_within"`
	// Administrators are the accounts that may have administrators' rights.
	Administrators []string        `yaml:"administrators"`
	Antivirus      AntivirusConfig `yaml:"antivirus"`
	Baselines      BaselineConfig  `yaml:"baselines"`
	// AllowRoot lets the agent itself run as root.
	AllowRoot bool      `yaml:"allow_root"`
	Log       LogConfig `yaml:"log"`
}

// AntivirusConfig names the antivirus or EDR that must run; ClamAV where
// neither a unit nor a process is named.
type AntivirusConfig struct {
	// Unit is a systemd unit, Process the name of a process of root or of a
	// system account: one of them.
	Unit    string `yaml:"unit"`
	Process string `yaml:"process"`
	// Signatures is a file whose time of change is that of the signatures.
	Signatures string            `yaml:"signatures"`
	MaxAge     yamlfile.Duration `yaml:"max_age"`
}

// settings are those of measuring.
func (c *Config) settings() posture.Settings {
	return posture.Settings{
		LockWithin: c.ScreenLockWithin.Duration, Administrators: c.Administrators,
		Antivirus: posture.Antivirus{
			Unit: c.Antivirus.Unit, Process: c.Antivirus.Process, Signatures: c.Antivirus.Signatures, MaxAge: c.Antivirus.MaxAge.Duration,
		},
	}
}

// LogConfig is what is logged.
type LogConfig struct {
	Level slog.Level `yaml:"level"`
}

// Values of Config.Seat.
const (
	SeatLogind = "logind"
	SeatNone   = "none"
)

// Values of Config.Keys.
const (
	KeysTPM      = "tpm"
	KeysSoftware = "software"
)

// LoadConfig reads the file over the defaults of this operating system. Every
// error is a *yamlfile.Error.
func LoadConfig(file string) (Config, error) {
	c := defaults()
	if err := yamlfile.Load(file, &c); err != nil {
		return Config{}, err
	}
	if err := c.check(); err != nil {
		return Config{}, &yamlfile.Error{File: file, Err: err}
	}
	return c, nil
}

func defaults() Config {
	data, run := directories()
	return Config{
		TPM:      tpm.DefaultDevice,
		Keys:     KeysTPM,
		EventLog: tpm.DefaultEventLog,
		IMAList:  tpm.DefaultIMAList,
		State:    filepath.Join(data, "state.json"),
		Helper:   filepath.Join(run+"-helper", "helper.sock"),
		Control:  filepath.Join(run, "agent.sock"),
		Remedy:   filepath.Join(run+"-remedy", "remedy.sock"),
		Port:     wire.DefaultLoopbackPort,
		Seat:     SeatLogind,

		ScreenLockWithin: yamlfile.Duration{Duration: posture.DefaultLockWithin},
		Baselines: BaselineConfig{
			Rules: shippedBaselines(), Local: filepath.Join(filepath.Dir(DefaultConfig()), "baselines.d"),
			Every: yamlfile.Duration{Duration: defaultBaselineAge},
		},
		Antivirus: AntivirusConfig{MaxAge: yamlfile.Duration{Duration: posture.DefaultSignatureAge}},
	}
}

func (c *Config) check() error {
	if c.PDP != "" {
		if err := checkAddress(c.PDP); err != nil {
			return err
		}
	}
	for key, path := range map[string]string{
		"state": c.State, "helper": c.Helper, "control": c.Control, "remedy": c.Remedy, "event_log": c.EventLog, "ima_list": c.IMAList,
	} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%s: %q is not an absolute path", key, path)
		}
	}
	if c.Keys != KeysTPM && c.Keys != KeysSoftware {
		return fmt.Errorf("keys: %q is neither %q nor %q", c.Keys, KeysTPM, KeysSoftware)
	}
	if c.SoftwareSecret != "" && (c.Keys != KeysSoftware || !filepath.IsAbs(c.SoftwareSecret)) {
		return errors.New("software_secret: an absolute path, and only with keys: software")
	}
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("port: %d is not a port", c.Port)
	}
	if c.Seat != SeatLogind && c.Seat != SeatNone {
		return fmt.Errorf("seat: %q is neither %q nor %q", c.Seat, SeatLogind, SeatNone)
	}
	if len(c.Users) > 0 && c.Seat != SeatNone {
		return errors.New("users: they are named only with seat: none")
	}
	for _, name := range c.Remedies {
		if !slices.Contains(remedy.Names(), remedy.Name(name)) {
			return fmt.Errorf("remedies: %q is none of %q", name, remedy.Names())
		}
	}
	if err := c.Antivirus.check(); err != nil {
		return err
	}
	if err := c.Baselines.check(); err != nil {
		return err
	}
	if c.ScreenLockWithin.Duration < time.Second {
		return fmt.Errorf("screen_lock_within: %v is too short", c.ScreenLockWithin.Duration)
	}
	_, err := c.users()
	return err
}

var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]{1,200}\.service$`)

func (a AntivirusConfig) check() error {
	named := a.Unit != "" || a.Process != ""
	switch {
	case a.Unit != "" && !unitName.MatchString(a.Unit):
		return fmt.Errorf("antivirus.unit: %q is not the name of a service", a.Unit)
	case a.Unit != "" && a.Process != "":
		return errors.New("antivirus: either a unit or a process")
	case named && !filepath.IsAbs(a.Signatures):
		return fmt.Errorf("antivirus.signatures: %q is not an absolute path", a.Signatures)
	case !named && a.Signatures != "":
		return errors.New("antivirus.signatures: whose they are is said by unit or process")
	case a.MaxAge.Duration < time.Hour:
		return fmt.Errorf("antivirus.max_age: %v is less than 1h", a.MaxAge.Duration)
	}
	return nil
}

var errAddress = errors.New("pdp: host:port is needed, such as pdp.example.gov.tw:8444")

// checkAddress accepts host:port.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("%w, not %q", errAddress, address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%w, not %q", errAddress, address)
	}
	return nil
}

// users looks up the users that seat: none lets through.
func (c *Config) users() ([]uint32, error) {
	var uids []uint32
	for _, name := range c.Users {
		uid, err := lookUpUser(name)
		if err != nil {
			return nil, fmt.Errorf("users: %w", err)
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// lookUpUser takes a name or a number.
func lookUpUser(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("user %s has no number: %w", name, err)
	}
	return uint32(n), nil
}

// HelperUID is the user whom the helper answers besides root.
func (c *Config) HelperUID() (int, error) {
	if c.HelperUser != "" {
		uid, err := lookUpUser(c.HelperUser)
		if err != nil {
			return 0, fmt.Errorf("helper_user: %w", err)
		}
		return int(uid), nil
	}
	info, err := os.Stat(filepath.Dir(c.State))
	if err != nil {
		return 0, fmt.Errorf("whose agent the helper serves is read from the state's directory: %w", err)
	}
	uid, ok := ownerOf(info)
	if !ok {
		return 0, errors.New("helper_user: it must be named on this system")
	}
	return uid, nil
}

// ReadEventLog reads the event log; the helper does so for the agent.
func (c *Config) ReadEventLog() ([]byte, error) { return tpm.EventLog(c.EventLog) }

// ReadIMA reads a piece of the run-time measurement list; the helper does so for
// the agent.
func (c *Config) ReadIMA(from int) (*wire.IMAPiece, error) { return tpm.IMA(c.IMAList, from) }
