//go:build linux

package host

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func withSettings(t *testing.T, c Config, settings map[string]string) Config {
	t.Helper()
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	c.Settings = string(raw)
	return c
}

// A plugin's settings reach it, and of the disk only what it may read.
func TestSettingsAndReadPaths(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"open": "data", "closed": "secret"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for d := folder; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := program(t, "odd-settings")
	for name, want := range map[string]string{"open": "data", "closed": "", "absent": ""} {
		c := withSettings(t, c, map[string]string{"read": filepath.Join(folder, name)})
		c.ReadPaths = []string{filepath.Join(folder, "open"), filepath.Join(folder, "absent")}
		o, _ := options(t)
		h := start(t, o, c)
		v := h.Assess(t.Context(), seen("192.0.2.7"))[0]
		if v.Missing || v.Reasons[0].Args["read"] != want || v.Reasons[0].Args["settings"] != "" {
			t.Errorf("%s: %+v", name, v)
		}
		if missing := h.Limits()[0].Missing; !slices.ContainsFunc(missing, func(s string) bool { return strings.Contains(s, "absent") }) {
			t.Errorf("that a file is not there is not told: %q", missing)
		}
	}
}

// Two have to say so before a plugin gets a network: the operator and itself.
// It may connect by TCP then, and nothing else.
func TestANetworkNeedsBoth(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	reached := map[string]string{"dial": listener.Addr().String(), "listen": "127.0.0.1:0"}
	c := withSettings(t, program(t, "odd-network"), reached)
	c.Network = true
	o, _ := options(t)
	h := start(t, o, c)
	v := h.Assess(t.Context(), seen("192.0.2.7"))[0]
	if v.Missing || v.Reasons[0].Args["dial"] != "worked" {
		t.Fatalf("a plugin with a network: %+v", v)
	}
	delete(v.Reasons[0].Args, "dial")
	if slices.Contains(h.Limits()[0].Missing, "landlock: no TCP port of its own") {
		delete(v.Reasons[0].Args, "listen") // this kernel cannot refuse it, and that is told
	}
	if len(v.Reasons[0].Args) != 0 {
		t.Errorf("a plugin with a network also did %v", v.Reasons[0].Args)
	}
	quiet := withSettings(t, program(t, "odd-settings"), reached)
	o, _ = options(t)
	if v := start(t, o, quiet).Assess(t.Context(), seen("192.0.2.7"))[0]; v.Missing || len(v.Reasons[0].Args) != 0 {
		t.Errorf("a plugin without a network: %+v", v)
	}
	quiet.Network = true
	o, _ = options(t)
	if v := start(t, o, quiet).Assess(t.Context(), seen("192.0.2.7"))[0]; !v.Missing {
		t.Errorf("a network for one that asked for none: %+v", v)
	}
}

// A plugin's own sentence arrives in both languages, its arguments in place
// and taken literally.
func TestAPluginsOwnReason(t *testing.T) {
	o, _ := options(t)
	v := start(t, o, program(t, "odd-own")).Assess(t.Context(), seen("192.0.2.7"))[0]
	want := wire.Reason{Code: reason.PluginSays, Args: map[string]string{
		"plugin": "odd-own", "reason": "own", "en": "an example: {said} {plugin}", "zh": "範例：{said} {plugin}",
	}}
	if len(v.Reasons) != 1 || !sameReason(v.Reasons[0], want) {
		t.Fatalf("%+v", v)
	}
	for lang, said := range map[reason.Language]string{
		reason.English: "The inference plugin odd-own says: an example: {said} {plugin}",
		reason.Chinese: "推論外掛 odd-own 表示：範例：{said} {plugin}",
	} {
		if got := reason.Of(lang, v.Reasons[0]).What; got != said {
			t.Errorf("%s: %q", lang, got)
		}
	}
}

func sameReason(a, b wire.Reason) bool {
	same := a.Code == b.Code && len(a.Args) == len(b.Args)
	for name, value := range b.Args {
		same = same && a.Args[name] == value
	}
	return same
}
