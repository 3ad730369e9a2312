package pdp

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/host"
)

// startSeer runs the plugin of testdata/seer, as the PDP runs its plugins.
func startSeer(t *testing.T) *host.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "mnsh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seer")
	build := exec.Command("go", "build", "-o", path, "./testdata/seer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	h, err := host.Start(t.Context(), []host.Config{{
		Name: "seer", Path: path, SHA256: hex.EncodeToString(sum[:]), Cluster: wire.ClusterNetwork, Deadline: 2 * time.Second,
	}}, host.Options{Logger: slog.New(slog.DiscardHandler), RuntimeDir: filepath.Join(dir, "run"), TrustedOwner: os.Geteuid()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// TestAPluginsProcessSeesExactlyThis: what a session's request becomes in a
// plugin's own process, from the proxy's view, the directory, the touch of the
// key and the attestation. No name and no id is among it.
func TestAPluginsProcessSeesExactlyThis(t *testing.T) {
	s, _ := inferringFrom(t, startSeer(t))
	s.wants("")
	session := s.pdp.sessions.Sessions(s.person.ID)[0].ID
	name := s.pdp.situation.history.Pseudonym
	posture := []string{}
	for _, id := range []wire.ClaimID{wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimOSRelease, wire.ClaimSecureBoot} {
		posture = append(posture, string(id)[:2]+"=pass")
	}
	want := map[string]string{
		"who": name("person", s.person.ID), "device": name("device", s.laptop.ID), "peers": name("group", "moda"),
		"portal": name("portal", s.portal.ID) + " read", "where": "192.0.2.0 192.0.2.10", "zone": "0 false",
		"requests": "0", "posture": strings.Join(posture, " "),
	}
	for _, term := range s.pdp.situation.trust.Current(session).Terms {
		if term.Name != "seer" {
			continue
		}
		if diff := cmp.Diff(want, term.Reasons[0].Args); diff != "" || term.Version != "1.2.3" {
			t.Errorf("version %q\n%s", term.Version, diff)
		}
		return
	}
	t.Error("the plugin was not heard")
}
