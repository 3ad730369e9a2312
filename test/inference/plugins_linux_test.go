//go:build linux

// Package inference runs the built-in inference plugins as the product does: as
// programs of their own, in their sandboxes, with settings and files.
package inference

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/host"
)

// The test program is the plugins' launcher too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "plugin-launch" {
		os.Exit(host.Launch(os.Args[2:]))
	}
	os.Exit(m.Run())
}

var day = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

const (
	taipei = "1.160.1.0"
	berlin = "141.20.5.0"
	// harmful is a file's digest.
	harmful = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
)

// shown is a folder that every user can read.
func shown(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // #nosec G302 -- the plugins have users of their own
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // #nosec G306 -- as above
		t.Fatal(err)
	}
}

// program builds a plugin as it is shipped.
func program(t *testing.T, dir, name string, cluster wire.Cluster) host.Config {
	t.Helper()
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-o", path, "github.com/menshen-zt/menshen/plugins/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return host.Config{Name: name, Path: path, SHA256: hex.EncodeToString(sum[:]), Cluster: cluster, Deadline: 2 * time.Second}
}

// database writes one of places, countries and operators.
func database(t *testing.T, path string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	insert := func(cidr, country string, operator uint32, latitude, longitude float64) {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, mmdbtype.Map{
			"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}, "autonomous_system_number": mmdbtype.Uint32(operator),
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(latitude), "longitude": mmdbtype.Float64(longitude), "accuracy_radius": mmdbtype.Uint16(20)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	insert("1.160.0.0/12", "TW", 3462, 25.05, 121.53)
	insert("141.20.0.0/16", "DE", 680, 52.52, 13.40)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// verdicts are those of one situation, by plugin.
func verdicts(t *testing.T, h *host.Host, o wire.Observation) map[string]wire.Verdict {
	t.Helper()
	all := map[string]wire.Verdict{}
	for _, v := range h.Assess(t.Context(), o) {
		if v.Missing || len(v.Reasons) == 0 {
			t.Fatalf("%+v", v)
		}
		all[v.Plugin] = v
	}
	return all
}

func codes(t *testing.T, all map[string]wire.Verdict, want map[string]string) {
	t.Helper()
	for plugin, code := range want {
		if v := all[plugin]; v.Reasons[0].Code != code {
			t.Errorf("%s: want %s, got %+v", plugin, code, v)
		}
	}
}

// TestPluginsWithFiles: they read their data bases and lists from within the
// sandbox, judge by them, and see a list that is exchanged.
func TestPluginsWithFiles(t *testing.T) {
	dir := shown(t)
	data, lists := filepath.Join(dir, "data"), filepath.Join(dir, "lists")
	for _, d := range []string{data, lists} {
		if err := os.Mkdir(d, 0o755); err != nil { // #nosec G301 -- as above
			t.Fatal(err)
		}
	}
	world, networks, files := filepath.Join(data, "world.mmdb"), filepath.Join(lists, "networks"), filepath.Join(lists, "files")
	database(t, world)
	write(t, networks, "203.0.113.0/24\n")
	write(t, files, harmful+"\n")
	novelty, pair := program(t, dir, "networknovelty", wire.ClusterNetwork), program(t, dir, "devicepair", wire.ClusterDevice)
	travel, threats := program(t, dir, "traveltime", wire.ClusterNetwork), program(t, dir, "threatlist", wire.ClusterNetwork)
	novelty.ReadPaths, novelty.Settings = []string{data}, `{"database":"`+world+`","asn_database":"`+world+`"}`
	travel.ReadPaths, travel.Settings = []string{data}, `{"database":"`+world+`"}`
	threats.ReadPaths, threats.Settings = []string{lists}, `{"networks":["`+networks+`"],"files":["`+files+`"],"every":"100ms"}`
	h, err := host.Start(t.Context(), []host.Config{novelty, pair, travel, threats}, host.Options{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), TrustedOwner: os.Geteuid(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)

	at := wire.Observation{Kind: wire.ObservedSignIn, Person: "p", Device: "laptop", IP: taipei, Address: "1.160.1.7"}
	for n := range 5 {
		at.At = day.Add(time.Duration(n) * time.Hour)
		h.Observe(t.Context(), at)
	}
	at.Kind = wire.ObservedSituation
	codes(t, verdicts(t, h, at), map[string]string{"networknovelty": "ZT-TRU-001", "devicepair": "ZT-TRU-100", "traveltime": "ZT-TRU-110", "threatlist": "ZT-TRU-122"})

	away := wire.Observation{Person: "p", Device: "another", IP: berlin, Address: "141.20.5.9", Files: []string{harmful}, At: at.At.Add(time.Hour)}
	all := verdicts(t, h, away)
	codes(t, all, map[string]string{"networknovelty": "ZT-TRU-005", "devicepair": "ZT-TRU-102", "traveltime": "ZT-TRU-111", "threatlist": "ZT-TRU-121"})
	for plugin, v := range all {
		if v.LLR >= 0 || v.Abstained {
			t.Errorf("%s does not speak against the situation: %+v", plugin, v)
		}
	}

	next := filepath.Join(lists, "networks.new")
	write(t, next, "141.20.5.0/24\n203.0.113.0/24\n")
	if err := os.Rename(next, networks); err != nil {
		t.Fatal(err)
	}
	away.Files = nil
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for verdicts(t, h, away)["threatlist"].Reasons[0].Code != "ZT-TRU-120" {
		select {
		case <-ctx.Done():
			t.Fatal("the list that was exchanged is not used")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestAPluginWhoseFilesAreWrongIsDown: what cannot be read is never taken for silence.
func TestAPluginWhoseFilesAreWrongIsDown(t *testing.T) {
	dir := shown(t)
	broken := filepath.Join(dir, "broken")
	write(t, broken, "no list\n")
	threats, travel := program(t, dir, "threatlist", wire.ClusterNetwork), program(t, dir, "traveltime", wire.ClusterNetwork)
	threats.ReadPaths, threats.Settings = []string{broken}, `{"networks":["`+broken+`"]}`
	travel.ReadPaths, travel.Settings = []string{broken}, `{"database":"`+broken+`"}`
	misspelt := program(t, dir, "networknovelty", wire.ClusterNetwork)
	misspelt.Settings = `{"databse":""}`
	h, err := host.Start(t.Context(), []host.Config{threats, travel, misspelt}, host.Options{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), TrustedOwner: os.Geteuid(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	for _, v := range h.Assess(t.Context(), wire.Observation{Person: "p", IP: taipei, Address: "1.160.1.7", At: day}) {
		if !v.Missing || !v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	}
}
