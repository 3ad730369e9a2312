package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/agent/softkey"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/internal/reason"
)

func TestWhereKeysLiveIsSaidAndNotGuessed(t *testing.T) {
	if c := defaults(); c.Keys != KeysTPM {
		t.Errorf("keys %q by default", c.Keys)
	}
	for name, tt := range map[string]struct {
		set  func(*Config)
		good bool
	}{
		"tpm":                   {func(*Config) {}, true},
		"software":              {func(c *Config) { c.Keys = KeysSoftware }, true},
		"software with secret":  {func(c *Config) { c.Keys, c.SoftwareSecret = KeysSoftware, "/etc/menshen/agent.secret" }, true},
		"nothing":               {func(c *Config) { c.Keys = "" }, false},
		"whatever there is":     {func(c *Config) { c.Keys = "auto" }, false},
		"a secret beside a TPM": {func(c *Config) { c.SoftwareSecret = "/etc/menshen/agent.secret" }, false},
		"a relative secret":     {func(c *Config) { c.Keys, c.SoftwareSecret = KeysSoftware, "secret" }, false},
	} {
		c := defaults()
		tt.set(&c)
		if err := c.check(); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSoftwareKeysFaultsHaveTheirReasons(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
		exit int
	}{
		{fmt.Errorf("x: %w", softkey.ErrSecret), reason.SoftkeySecret, ExitIO},
		{fmt.Errorf("x: %w", softkey.ErrSealed), reason.SoftkeyUnsealed, ExitIO},
		{fmt.Errorf("x: %w", softkey.ErrCounter), reason.SoftkeyCounter, ExitIO},
		{fault(nil, reason.SoftkeySetting), reason.SoftkeySetting, ExitConfiguration},
	} {
		if got, exit := ReasonOf(c.err).Code, ExitCode(c.err); got != c.code || exit != c.exit {
			t.Errorf("%v: %s %d", c.err, got, exit)
		}
	}
}

// TestSoftwareKeysThatCannotBeUsed: each fault by itself, as doctor tells it.
func TestSoftwareKeysThatCannotBeUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *Config)
		code  string
	}{
		"whole":          {func(*testing.T, *Config) {}, ""},
		"no secret":      {func(t *testing.T, c *Config) { remove(t, c.SoftwareSecret) }, reason.SoftkeySecret},
		"another secret": {func(t *testing.T, c *Config) { write(t, c.SoftwareSecret, bytes.Repeat([]byte{8}, 32)) }, reason.SoftkeyUnsealed},
		"no counter":     {func(t *testing.T, c *Config) { remove(t, c.counterOf().Path()) }, reason.SoftkeyCounter},
		"a torn counter": {func(t *testing.T, c *Config) { write(t, c.counterOf().Path(), nil) }, reason.SoftkeyCounter},
	} {
		c := defaults()
		dir := t.TempDir()
		c.Keys, c.State, c.SoftwareSecret = KeysSoftware, filepath.Join(dir, "state.json"), filepath.Join(dir, "secret")
		write(t, c.SoftwareSecret, bytes.Repeat([]byte{7}, 32))
		_, document, err := prepareSoftware(c, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		tt.spoil(t, &c)
		e := examination{ctx: t.Context(), config: c, running: os.ErrNotExist, state: &state.State{Keys: document}}
		e.softwareKeys()
		if d := e.found[0]; d.Name != "keys" || d.OK != (tt.code == "") || (d.Reason != nil && d.Reason.Code != tt.code) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
