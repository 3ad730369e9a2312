package packages

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// made is the packages, built twice from one state of the source in folders
// of different names.
type made struct {
	dir    string // of everything
	builds [2]string
}

func TestMain(m *testing.M) {
	status := m.Run()
	if m, err := build(); err == nil {
		_ = os.RemoveAll(m.dir)
	}
	os.Exit(status)
}

// dist returns the folder of the packages, which are built once for all tests.
func dist(t *testing.T) string {
	t.Helper()
	m, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return m.builds[0]
}

var build = sync.OnceValues(func() (made, error) {
	dir, err := os.MkdirTemp("", "menshen-packages-")
	if err != nil {
		return made{}, err
	}
	m := made{dir, [2]string{filepath.Join(dir, "first"), filepath.Join(dir, "the-second")}}
	top, err := filepath.Abs(root)
	if err != nil {
		return m, err
	}
	const script = `
top=$1 one=$2 two=$3
cd "$top"
scripts/tools nfpm
export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) VERSION=$(git describe --tags --always) ARCHS=amd64
mkdir -p "$one" "$two"
git ls-files -co --exclude-standard -z -- ':!.tools' | xargs -0 cp --parents -t "$one"
cp -a "$one/." "$two"
for folder in "$one" "$two"; do
	ln -s "$top/.tools" "$folder/.tools"
	(cd "$folder" && DIST=$folder scripts/dist)
done
`
	out, err := exec.Command("bash", "-euo", "pipefail", "-c", script, "build", top, m.builds[0], m.builds[1]).CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("%w\n%s", err, out)
	}
	return m, nil
})

// found returns the one package file of a name.
func found(t *testing.T, dir, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, name+"_*_amd64.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s in %s: %v %v", name, dir, files, err)
	}
	return files[0]
}

// TestTheSameSourceGivesTheSameBytes compares builds of two folders.
func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
	dist(t)
	m, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"menshen-agent", "menshen-pdp"} {
		one, err := os.ReadFile(found(t, m.builds[0], name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(found(t, m.builds[1], name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, two) {
			t.Errorf("%s differs from build to build", name)
		}
	}
}

// sandbox runs a script under systemd in a throw-away copy of this machine,
// with the packages in /packages, and returns what it printed.
func sandbox(t *testing.T, script string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("booting a copy of this machine needs root")
	}
	exchange := t.TempDir()
	if err := os.WriteFile(filepath.Join(exchange, "run"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child",
		"--net", "--cgroup", "--ipc", "--uts", "bash", "testdata/sandbox.sh", dist(t), exchange)
	said, err := cmd.CombinedOutput()
	out, readErr := os.ReadFile(filepath.Join(exchange, "out"))
	if err != nil || readErr != nil {
		t.Fatalf("%v %v\n%s%s\n--- script\n%s", err, readErr, said, out, script)
	}
	return string(out)
}

// life is what a package goes through; CHECK is asked while it is installed,
// AFTER while it has been removed.
const life = `
# "! command" does not end a script under set -e.
not() { if "$@"; then echo "this must fail: $*"; exit 1; fi; }
deb=$(ls /packages/NAME_*_amd64.deb)
dpkg -i "$deb"
[ "$(dpkg-query -W -f '${Status}' NAME)" = "install ok installed" ]
dpkg --verify NAME
[ "$(stat -c %a:%U /usr/bin/NAME)" = 755:root ]
running() { # running UNIT: it has run for two seconds and was never started again
	for i in $(seq 50); do
		[ "$(systemctl show -P ActiveState $1)" = active ] && break || sleep 0.1
	done
	sleep 2
	[ "$(systemctl show -P ActiveState $1) $(systemctl show -P NRestarts $1)" = "active 0" ] || { systemctl status --no-pager $1; return 1; }
}
confined() { # confined UNIT…: its system calls are filtered, and it gets no new rights
	for unit; do
		grep -P '^Seccomp:\t2$' /proc/$(systemctl show -P MainPID $unit)/status
		grep -P '^NoNewPrivs:\t1$' /proc/$(systemctl show -P MainPID $unit)/status
	done
}
CHECK
dpkg -i "$deb" # once more, as an upgrade does
AGAIN
files=$(dpkg-query -W -f '${Conffiles}' NAME | awk '{print $1}')
[ -n "$files" ]
dpkg -r NAME
hash -r
not command -v NAME
[ -z "$(systemctl list-units --no-legend 'menshen-*')" ]
for file in $files; do [ -f "$file" ]; done
dpkg -P NAME
for file in $files; do [ ! -e "$file" ]; done
not grep -q installed <(dpkg-query -W -f '${Status}' NAME 2>/dev/null)
AFTER
echo the life of NAME is over
`

// course is what is asked at three points of a package's life.
type course struct{ check, again, after string }

var courses = map[string]course{
	"menshen-agent": {`
menshen-agent version
menshen-agent validate
running menshen-agent-helper
running menshen-agent
id -nG menshen-agent | grep -qw tss
confined menshen-agent-helper menshen-agent
menshen-agent baseline list | grep '^TWGCB-01-'
[ "$(stat -c %a:%U /usr/share/menshen/baselines /etc/menshen/baselines.d | sort -u)" = 755:root ]
[ -f /usr/lib/systemd/user/graphical-session.target.wants/menshen-agent-session.service ]
[ "$(systemctl is-enabled menshen-agent-remedy) $(systemctl is-active menshen-agent-remedy)" = "disabled inactive" ]
echo 'remedies: [firewall]' >>/etc/menshen/agent.yaml
systemctl start menshen-agent-remedy
running menshen-agent-remedy
confined menshen-agent-remedy
[ "$(stat -c %U /run/menshen-agent-remedy/remedy.sock)" = menshen-agent ]
menshen-agent status --lang en >/tmp/status && exit 1 || [ $? -eq 2 ]
grep 'Not enrolled' /tmp/status
{ runuser -u menshen-agent -- menshen-agent doctor --lang en || true; } | grep 'the helper answers'
kill -9 $(systemctl show -P MainPID menshen-agent)
for i in $(seq 100); do [ "$(systemctl is-active menshen-agent) $(systemctl show -P NRestarts menshen-agent)" = "active 1" ] && break || sleep 0.1; done
systemctl is-active menshen-agent
`, `
running menshen-agent-helper
running menshen-agent
`, `
[ ! -e /var/lib/menshen-agent ]
`},
	"menshen-pdp": {`
menshen-pdp version
for file in nginx/nginx.conf haproxy/menshen.lua apache/menshen.lua caddy/Caddyfile envoy/envoy.yaml unavailable/unavailable.html; do [ "$(stat -c %a:%U /usr/share/menshen-pdp/proxies/$file)" = 644:root ]; done
[ "$(systemctl is-active menshen-pdp)" = inactive ]
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=pdp.example.gov.tw -addext subjectAltName=DNS:pdp.example.gov.tw -keyout /etc/menshen/web.key -out /etc/menshen/web.pem 2>/dev/null
chown menshen-pdp /etc/menshen/web.key
menshen-pdp validate
sed -i 's/^data:/dataa:/' /etc/menshen/pdp.yaml
menshen-pdp validate && exit 1 || [ $? -eq 78 ]
systemctl start menshen-pdp || true
sleep 6 # longer than RestartSec: a wrong configuration is not tried again
[ "$(systemctl show -P NRestarts menshen-pdp) $(systemctl show -P ExecMainStatus menshen-pdp)" = "0 78" ]
sed -i 's/^dataa:/data:/' /etc/menshen/pdp.yaml
runuser -u menshen-pdp -- menshen-pdp init --agency moda --agency-zh 數位發展部 --agency-en "Ministry of Digital Affairs" --account wang.xm --name 王小明 | grep ^link
systemctl enable --now menshen-pdp
running menshen-pdp
running menshen-launcher
confined menshen-pdp menshen-launcher
menshenctl status
for i in $(seq 50); do pgrep networknovelty && break || sleep 0.1; done
plugin=/proc/$(pgrep -o networknovelty)/status
grep -P '^CapPrm:\t0+$' $plugin
uid=$(awk '/^Uid:/ {print $2}' $plugin)
[ "$uid" -ge 60600 ] && [ "$uid" -lt 60664 ] && [ "$(pgrep -u $uid | wc -l)" -eq 1 ]
sleep 2
not grep 'plugin is down' <(journalctl -u menshen-pdp -o cat)
`, `
running menshen-pdp
running menshen-launcher
menshenctl status
`, `
not menshenctl status
[ -f /var/lib/menshen-pdp/store.db ] # an audit log is not a package's to destroy
`},
}

func TestInstallRunRemove(t *testing.T) {
	for name, c := range courses {
		t.Run(name, func(t *testing.T) {
			script := strings.NewReplacer("NAME", name, "CHECK", c.check, "AGAIN", c.again, "AFTER", c.after).Replace(life)
			out := sandbox(t, script)
			t.Log(out)
			if !strings.HasSuffix(out, "the life of "+name+" is over\n") {
				t.Error("the script ended early")
			}
		})
	}
}

// TestTheHostIsUntouched looks for what an installation would have left here.
func TestTheHostIsUntouched(t *testing.T) {
	marker := "/usr/share/menshen-sandbox-was-here"
	sandbox(t, "touch "+marker+"\n")
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("the sandbox leaks: %v", err)
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: (\d+\.\d)`)

// TestUnitsAreHardened holds every unit to an exposure of 2.0 at most, and to
// keys that systemd knows.
func TestUnitsAreHardened(t *testing.T) {
	units, err := filepath.Glob(filepath.Join(root, "installer/linux/systemd/*.service"))
	if err != nil || len(units) != 5 {
		t.Fatalf("%v %v", units, err)
	}
	for _, unit := range units {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", unit).CombinedOutput()
		match := exposure.FindSubmatch(out)
		if err != nil || match == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		level, err := strconv.ParseFloat(string(match[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f", filepath.Base(unit), level)
		if level > 2.0 {
			t.Errorf("%s: exposure %.1f is above 2.0", filepath.Base(unit), level)
		}
	}
	out := sandbox(t, "dpkg -i /packages/*.deb >/dev/null\nsystemd-analyze verify --man=no /usr/lib/systemd/system/menshen-*.service 2>&1 | grep menshen || echo clean\n")
	if strings.TrimSpace(lastLine(out)) != "clean" {
		t.Errorf("systemd complains:\n%s", out)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
