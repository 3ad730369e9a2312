package packages

import (
	"bytes"
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

// dist builds the packages once for all tests and returns their folder.
func dist(t *testing.T) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := built(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "menshen-packages-")
	if err != nil {
		return "", err
	}
	return dir, build(dir)
})

func build(dir string) error {
	cmd := exec.Command("scripts/dist")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "ARCHS=amd64", "DIST="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out) // the error below is what counts
	}
	return err
}

// found returns the one package file of a name.
func found(t *testing.T, dir, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, name+"_*_amd64.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s in %s: %v %v", name, dir, files, err)
	}
	return files[0]
}

// TestTheSameSourceGivesTheSameBytes builds everything a second time.
func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
	again := t.TempDir()
	if err := build(again); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"menshen-agent", "menshen-pdp"} {
		one, err := os.ReadFile(found(t, dist(t), name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(found(t, again, name))
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
setpriv --reuid menshen-agent --regid menshen-agent --init-groups menshen-agent status && exit 1 || [ $? -eq 2 ]
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
