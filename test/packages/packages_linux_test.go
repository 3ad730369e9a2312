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

// sandbox runs a script beside the packages in a throw-away copy of this
// machine, and returns what it printed.
func sandbox(t *testing.T, script string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mount namespaces need root")
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation=private", "--net", "--pid", "--fork", "--kill-child",
		"bash", "testdata/sandbox.sh", dist(t))
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n--- script\n%s", err, out, script)
	}
	return string(out)
}

// life is what a package goes through; CHECK is what is asked while it is
// installed.
const life = `
deb=$(ls /packages/NAME_*_amd64.deb)
dpkg -i "$deb"
[ "$(dpkg-query -W -f '${Status}' NAME)" = "install ok installed" ]
dpkg --verify NAME
CHECK
dpkg -i "$deb" # once more, as an upgrade does
dpkg -r NAME
! command -v NAME
CONFFILES=$(dpkg-query -W -f '${Conffiles}' NAME | awk '{print $1}')
[ -n "$CONFFILES" ]
for file in $CONFFILES; do [ -f "$file" ]; done
dpkg -P NAME
for file in $CONFFILES; do [ ! -e "$file" ]; done
! dpkg-query -W -f '${Status}' NAME 2>/dev/null | grep -q installed
echo the life of NAME is over
`

func TestInstallRunRemove(t *testing.T) {
	checks := map[string]string{
		"menshen-agent": `
menshen-agent version
id -nG menshen-agent | grep -qw tss
[ "$(stat -c %a:%U /usr/bin/menshen-agent)" = 755:root ]
menshen-agent validate
agent="setpriv --reuid menshen-agent --regid menshen-agent --init-groups --no-new-privs --bounding-set -all --inh-caps -all menshen-agent"
$agent status --lang en && exit 1 || [ $? -eq 2 ]
# Run both with the rights that their units leave them.
install -d -m 0711 /run/menshen-agent-helper
install -d -o menshen-agent -g menshen-agent /run/menshen-agent
setpriv --no-new-privs --bounding-set -all,+net_admin,+chown --inh-caps -all menshen-agent helper &
$agent run &
for i in $(seq 100); do $agent status --lang en >/tmp/status || grep -q ZT-AGT-001 /tmp/status && break || sleep 0.1; done
grep 'Not enrolled' /tmp/status
{ $agent doctor --lang en || true; } | grep 'the helper answers'
kill %1 %2
wait %1 %2
`,
		"menshen-pdp": `
menshen-pdp version
menshenctl --help >/dev/null
id menshen-pdp
[ "$(stat -c %a:%U /usr/bin/menshen-pdp)" = 755:root ]
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=pdp.example.gov.tw -addext subjectAltName=DNS:pdp.example.gov.tw -keyout /etc/menshen/web.key -out /etc/menshen/web.pem 2>/dev/null
chown menshen-pdp /etc/menshen/web.key
menshen-pdp validate
runuser -u menshen-pdp -- menshen-pdp init --agency moda --agency-zh 數位發展部 --agency-en "Ministry of Digital Affairs" --account wang.xm --name 王小明 | grep ^link
# Run it with the rights that its unit leaves it.
install -d -o menshen-pdp -g menshen-pdp /run/menshen-pdp
setpriv --reuid menshen-pdp --regid menshen-pdp --clear-groups --no-new-privs --bounding-set -all,+net_bind_service --inh-caps -all,+net_bind_service --ambient-caps -all,+net_bind_service menshen-pdp run &
for i in $(seq 100); do menshenctl status && break || sleep 0.1; done
menshenctl status
kill %1
wait %1
sed -i 's/^data:/dataa:/' /etc/menshen/pdp.yaml
menshen-pdp validate && exit 1 || [ $? -eq 78 ]
sed -i 's/^dataa:/data:/' /etc/menshen/pdp.yaml
`,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			script := strings.NewReplacer("NAME", name, "CHECK", check).Replace(life)
			if out := sandbox(t, script); !strings.HasSuffix(out, "the life of "+name+" is over\n") {
				t.Errorf("the script ended early:\n%s", out)
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
	if err != nil || len(units) != 3 {
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
