package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// SettingCheck reads a setting of a program from its files, with its drop-ins
// and defaults in the order in which the program itself takes them.
type SettingCheck struct {
	// Program is login.defs, pwquality, faillock, journald or coredump.
	Program string   `yaml:"program"`
	Keys    []string `yaml:"keys"`
}

func (c *SettingCheck) wrong(path string) []yamlfile.Fault {
	faults := needs(path, "keys", c.Keys...)
	if _, ok := programs()[c.Program]; !ok {
		faults = append(faults, yamlfile.Fault{Path: path + ".program", Problem: fmt.Sprintf("%q is not known", c.Program)})
	}
	return faults
}

func (*SettingCheck) compares() bool { return true }

func (c *SettingCheck) measure(m *measurement, expect *Expect) outcome {
	p := programs()[c.Program]
	if p.module != "" {
		used, err := m.pamLines(p.kind, p.module, p.services...)
		switch {
		case err != nil:
			return cannot("%v", err)
		case len(used) == 0:
			return passIf(false, "%s is not used by PAM", p.module)
		}
	}
	settings, err := p.read(m)
	if err != nil {
		return cannot("%s: %v", c.Program, err)
	}
	var values []value
	for _, key := range c.Keys {
		text, set := settings[key]
		values = append(values, value{name: key, text: text, missing: !set})
	}
	return expect.judge(values...)
}

// program is how one program finds its settings.
type program struct {
	// files are read in this order, a later one winning; of those in one
	// element with several names the first that exists counts. folders hold
	// drop-ins; they win over files unless dropInsFirst.
	files        []string
	folders      []string
	dropInsFirst bool
	// section is that of an INI file; without one the file has none.
	section string
	// space says that key and value are parted by white space.
	space bool
	// A setting on the PAM line of module wins over the files.
	module, kind string
	services     []string
	defaults     map[string]string
}

// programs: login.defs(5); pwquality.conf(5), whose drop-ins are read first;
// faillock.conf(5); journald.conf(5) and coredump.conf(5), whose drop-ins are
// read last (systemd-system.conf(5), configuration directories).
func programs() map[string]program {
	systemd := func(name, section string, defaults map[string]string) program {
		var folders []string
		for _, base := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib"} {
			folders = append(folders, base+"/systemd/"+name+".d")
		}
		return program{
			files: []string{"/etc/systemd/" + name + "|/run/systemd/" + name + "|/usr/lib/systemd/" + name}, folders: folders,
			section: section, defaults: defaults,
		}
	}
	return map[string]program{
		"login.defs": {files: []string{"/etc/login.defs"}, space: true},
		"pwquality": {
			files: []string{"/etc/security/pwquality.conf"}, folders: []string{"/etc/security/pwquality.conf.d"}, dropInsFirst: true,
			module: "pam_pwquality.so", kind: "password", services: []string{"common-password", "system-auth"},
			defaults: map[string]string{
				"minlen": "8", "dcredit": "0", "ucredit": "0", "lcredit": "0", "ocredit": "0", "difok": "1",
				"minclass": "0", "maxrepeat": "0", "maxclassrepeat": "0", "maxsequence": "0", "dictcheck": "1", "retry": "1",
			},
		},
		"faillock": {
			files: []string{"/etc/security/faillock.conf"}, module: "pam_faillock.so", kind: "auth", services: []string{"common-auth", "system-auth"},
			defaults: map[string]string{"deny": "3", "fail_interval": "900", "unlock_time": "600"},
		},
		"journald": systemd("journald.conf", "Journal", map[string]string{"Compress": "yes", "Storage": "auto"}),
		"coredump": systemd("coredump.conf", "Coredump", map[string]string{"Storage": "external"}),
	}
}

func (p program) read(m *measurement) (map[string]string, error) {
	settings := map[string]string{}
	for key, text := range p.defaults {
		settings[key] = text
	}
	dropIns, err := m.dropIns(".conf", p.folders...)
	if err != nil {
		return nil, err
	}
	var main []string
	for _, names := range p.files {
		for name := range strings.SplitSeq(names, "|") {
			_, err := m.stat(name)
			if err == nil {
				main = append(main, name)
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	order := append(main, dropIns...)
	if p.dropInsFirst {
		order = append(dropIns, main...)
	}
	for _, name := range order {
		text, err := m.readIfThere(name)
		if err != nil {
			return nil, err
		}
		p.parse(text, settings)
	}
	if p.module == "" {
		return settings, nil
	}
	used, err := m.pamLines(p.kind, p.module, p.services...)
	if err != nil {
		return nil, err
	}
	for _, line := range used {
		for _, a := range line.arguments {
			if key, text, assigned := strings.Cut(a, "="); assigned {
				settings[key] = text
			}
		}
	}
	return settings, nil
}

// parse takes over what a file sets. An empty value in an INI file puts the
// default back.
func (p program) parse(text string, settings map[string]string) {
	section := ""
	for _, line := range lines(text) {
		if p.section != "" && strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		if section != p.section {
			continue
		}
		key, is, assigned := strings.Cut(line, "=")
		if p.space {
			key, is, assigned = strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		}
		key, is = strings.TrimSpace(key), strings.TrimSpace(is)
		if comment := strings.Index(is, " #"); comment >= 0 {
			is = strings.TrimSpace(is[:comment])
		}
		switch {
		case !assigned:
			settings[key] = "on" // a flag, such as enforce_for_root
		case is == "" && p.section != "":
			delete(settings, key)
			if standard, ok := p.defaults[key]; ok {
				settings[key] = standard
			}
		default:
			settings[key] = strings.Trim(is, `"`)
		}
	}
}

// PAMCheck looks for a module in PAM's stacks, and at one of its arguments.
type PAMCheck struct {
	// Services are names in /etc/pam.d; the first that exists counts.
	Services []string `yaml:"services"`
	// Type is auth, account, password or session.
	Type   string `yaml:"type"`
	Module string `yaml:"module"`
	// Argument is what expect is held against; without one, only that the
	// module is there.
	Argument string `yaml:"argument"`
}

func (c *PAMCheck) wrong(path string) []yamlfile.Fault {
	faults := needs(path, "services", c.Services...)
	for _, name := range c.Services {
		if strings.Contains(name, "/") {
			faults = append(faults, yamlfile.Fault{Path: path + ".services", Problem: name + " is no name in /etc/pam.d"})
		}
	}
	return append(append(faults, needs(path, "type", c.Type)...), needs(path, "module", c.Module)...)
}

func (*PAMCheck) compares() bool { return true }

func (c *PAMCheck) measure(m *measurement, expect *Expect) outcome {
	used, err := m.pamLines(c.Type, c.Module, c.Services...)
	if err != nil {
		return cannot("%v", err)
	}
	v := value{name: cmp.Or(c.Argument, c.Module), missing: true}
	for _, line := range used {
		if c.Argument == "" {
			v.text, v.missing = line.control, false
		}
		for _, a := range line.arguments {
			if key, text, assigned := strings.Cut(a, "="); key == c.Argument {
				if v.missing = false; !assigned {
					text = "on"
				}
				v.text = text
			}
		}
	}
	return expect.judge(v)
}

// pamLine is one line of a stack (pam.conf(5)).
type pamLine struct {
	kind, control, module string
	arguments             []string
}

// pamLines returns the lines with a module in the stack of the first service
// that exists, with everything that it includes.
func (m *measurement) pamLines(kind, module string, services ...string) ([]pamLine, error) {
	for _, service := range services {
		if _, err := m.stat("/etc/pam.d/" + service); err != nil {
			continue
		}
		all, err := m.pamStack(service, 0)
		if err != nil {
			return nil, err
		}
		var found []pamLine
		for _, l := range all {
			if l.kind == kind && l.module == module {
				found = append(found, l)
			}
		}
		return found, nil
	}
	return nil, fmt.Errorf("PAM has none of the services %s", strings.Join(services, ", "))
}

// maxIncludes bounds how deep stacks include each other.
const maxIncludes = 8

func (m *measurement) pamStack(service string, depth int) ([]pamLine, error) {
	if depth > maxIncludes || strings.Contains(service, "/") {
		return nil, fmt.Errorf("PAM's stack %.40q is not followed", service)
	}
	text, err := m.read("/etc/pam.d/" + service)
	if err != nil {
		return nil, fmt.Errorf("PAM's stack: %w", err)
	}
	var all []pamLine
	for _, line := range lines(strings.ReplaceAll(text, "\\\n", " ")) {
		l, include := parsePAM(line)
		if include == "" {
			all = append(all, l)
			continue
		}
		more, err := m.pamStack(include, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// parsePAM splits "type control module arguments"; control may be a bracketed
// list with spaces. A leading hyphen is part of the type's spelling.
func parsePAM(line string) (l pamLine, include string) {
	f := strings.Fields(line)
	if len(f) == 2 && f[0] == "@include" {
		return l, f[1]
	}
	if len(f) < 3 {
		return l, ""
	}
	l.kind, l.control = strings.TrimPrefix(f[0], "-"), f[1]
	rest := f[2:]
	for strings.HasPrefix(l.control, "[") && !strings.HasSuffix(l.control, "]") && len(rest) > 0 {
		l.control, rest = l.control+" "+rest[0], rest[1:]
	}
	if l.control == "include" || l.control == "substack" {
		return l, rest[0]
	}
	if len(rest) > 0 {
		l.module, l.arguments = rest[0], rest[1:]
	}
	if i := strings.LastIndexByte(l.module, '/'); i >= 0 {
		l.module = l.module[i+1:]
	}
	return l, ""
}
