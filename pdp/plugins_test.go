package pdp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/host"
)

// What the file says of a plugin arrives at its host whole, the settings as JSON.
func TestAPluginsConfigurationArrives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pdp.yaml")
	text := good + plugin + `      uid: 60700
      deadline: 100ms
      memory_mib: 64
      read: [/var/lib/menshen-data]
      network: true
      shadow: true
      interpreter: {path: /usr/bin/python3.11, sha256: "` + strings.Repeat("cd", 32) + `", arguments: [-I]}
      settings:
        database: /var/lib/menshen-data/city.mmdb
        limits: {hour: 5, share: 0.5}
        known: [192.0.2.0/24]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Plugins.Registered()
	want := []host.Config{{
		Name: "x", Path: "/usr/lib/menshen/plugins/x", SHA256: strings.Repeat("ab", 32), Cluster: wire.ClusterNetwork,
		UID: 60700, GID: 60700, Deadline: 100 * time.Millisecond, MemoryBytes: 64 << 20,
		ReadPaths: []string{"/var/lib/menshen-data"}, Network: true,
		Settings:    `{"database":"/var/lib/menshen-data/city.mmdb","known":["192.0.2.0/24"],"limits":{"hour":5,"share":0.5}}`,
		Interpreter: &host.Interpreter{Path: "/usr/bin/python3.11", SHA256: strings.Repeat("cd", 32), Arguments: []string{"-I"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || !c.Plugins.Run[0].Shadow {
		t.Errorf("%v %s", err, diff)
	}
}

// Two plugins of one user could kill each other.
func TestTwoPluginsShareNoUser(t *testing.T) {
	one := strings.TrimPrefix(plugin, "plugins:\n  run:\n") + "      uid: 60700\n"
	err := load(t, good+"plugins:\n  run:\n"+one+strings.Replace(one, "name: x", "name: y", 1))
	if err == nil || !strings.Contains(err.Error(), "plugins.run[1].uid: x runs as this user") {
		t.Error(err)
	}
}

func TestAnInterpreterIsNamedAndPinned(t *testing.T) {
	for problem, line := range map[string]string{
		"interpreter.path":   `{path: python3, sha256: "` + strings.Repeat("cd", 32) + `"}`,
		"interpreter.sha256": `{path: /usr/bin/python3.11}`,
	} {
		err := load(t, good+plugin+"      interpreter: "+line+"\n")
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
