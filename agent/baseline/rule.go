package baseline

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Text is what a person reads, in both languages.
type Text struct {
	ZH string `yaml:"zh"`
	EN string `yaml:"en"`
}

// Baseline is one configuration baseline.
type Baseline struct {
	// ID and Version name it, such as TWGCB-01-014 and "1.2".
	ID      string `yaml:"id"`
	Version string `yaml:"version"`
	Title   Text   `yaml:"title"`
	// AppliesTo are the systems that it is for.
	AppliesTo []System `yaml:"applies_to"`
	// Numbers says where the rules' numbers come from.
	Numbers Numbers `yaml:"numbers"`
}

// System is an operating system as os-release(5) names it. Version covers its
// minor releases: "9" covers "9.4".
type System struct {
	ID      string `yaml:"id"`
	Version string `yaml:"version"`
}

// String is the form that the PDP's configuration takes: "debian 12".
func (s System) String() string { return s.ID + " " + s.Version }

// Numbers says where a baseline's rule numbers come from.
type Numbers string

// Sources of numbers. NumbersQuoted are a government baseline's, as public notes
// quote them; NumbersOwn are those of whoever wrote the baseline.
const (
	NumbersQuoted Numbers = "quoted"
	NumbersOwn    Numbers = "own"
)

// Rule is one rule. It may be part of several baselines under a number each.
type Rule struct {
	// In maps a baseline's id to this rule's number there, such as "0153": the
	// rule's id is both, joined by a hyphen.
	In map[string]string `yaml:"in"`
	// Partial says that the check covers only a part of what the baseline asks.
	Partial bool `yaml:"partial"`
	Title   Text `yaml:"title"`
	Remedy  Text `yaml:"remedy"`
	// When is the condition under which the rule applies at all.
	When *Condition `yaml:"when"`
	// Expect is what a value must be, for the checks that read values.
	Expect *Expect `yaml:"expect"`

	Checks `yaml:",inline"`
}

// Checks holds a rule's one check.
type Checks struct {
	Sysctl   *SysctlCheck   `yaml:"sysctl"`
	File     *FileCheck     `yaml:"file"`
	Mount    *MountCheck    `yaml:"mount"`
	Module   *ModuleCheck   `yaml:"module"`
	Unit     *UnitCheck     `yaml:"unit"`
	Package  *PackageCheck  `yaml:"package"`
	SSHD     *SSHDCheck     `yaml:"sshd"`
	Setting  *SettingCheck  `yaml:"setting"`
	PAM      *PAMCheck      `yaml:"pam"`
	Sudo     *SudoCheck     `yaml:"sudo"`
	Kernel   *KernelCheck   `yaml:"kernel_argument"`
	Accounts *AccountsCheck `yaml:"accounts"`
	MAC      *MACCheck      `yaml:"mandatory_access"`
	Shell    *ShellCheck    `yaml:"shell"`
	Boot     *BootCheck     `yaml:"boot_password"`
	Manual   *ManualCheck   `yaml:"manual"`
}

// check is one kind of check.
type check interface {
	// wrong says what is wrong with the check's own keys; path is where it stands.
	wrong(path string) []yamlfile.Fault
	// measure looks at the machine. Expect is nil for a check that needs none.
	measure(m *measurement, expect *Expect) outcome
	// compares reports whether the check reads values for Expect.
	compares() bool
}

// named is a check with the key that it stands under.
type named struct {
	key string
	check
}

// all returns the checks that are given.
func (c *Checks) all() []named {
	var given []named
	add := func(key string, ok bool, is check) {
		if ok {
			given = append(given, named{key, is})
		}
	}
	add("sysctl", c.Sysctl != nil, c.Sysctl)
	add("file", c.File != nil, c.File)
	add("mount", c.Mount != nil, c.Mount)
	add("module", c.Module != nil, c.Module)
	add("unit", c.Unit != nil, c.Unit)
	add("package", c.Package != nil, c.Package)
	add("sshd", c.SSHD != nil, c.SSHD)
	add("setting", c.Setting != nil, c.Setting)
	add("pam", c.PAM != nil, c.PAM)
	add("sudo", c.Sudo != nil, c.Sudo)
	add("kernel_argument", c.Kernel != nil, c.Kernel)
	add("accounts", c.Accounts != nil, c.Accounts)
	add("mandatory_access", c.MAC != nil, c.MAC)
	add("shell", c.Shell != nil, c.Shell)
	add("boot_password", c.Boot != nil, c.Boot)
	add("manual", c.Manual != nil, c.Manual)
	return given
}

// document is one rule file.
type document struct {
	Baselines []Baseline `yaml:"baselines"`
	Rules     []Rule     `yaml:"rules"`
}

var (
	baselineID = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}(-[A-Z0-9]{1,15}){0,4}$`)
	ruleNumber = regexp.MustCompile(`^[0-9]{4}$`)
)

// Bounds of a rule file.
const (
	maxText  = 600
	maxRules = 1000
)

// Check implements yamlfile.Checker.
func (d *document) Check() []yamlfile.Fault {
	var faults []yamlfile.Fault
	for i := range d.Baselines {
		faults = append(faults, d.Baselines[i].wrong(fmt.Sprintf("$.baselines[%d]", i))...)
	}
	if len(d.Rules) > maxRules {
		faults = append(faults, yamlfile.Fault{Path: "$.rules", Problem: fmt.Sprintf("more than %d rules", maxRules)})
		return faults
	}
	for i := range d.Rules {
		faults = append(faults, d.Rules[i].wrong(fmt.Sprintf("$.rules[%d]", i))...)
	}
	return faults
}

func (b *Baseline) wrong(path string) []yamlfile.Fault {
	var faults []yamlfile.Fault
	if !baselineID.MatchString(b.ID) {
		faults = append(faults, yamlfile.Fault{Path: path + ".id", Problem: "must be capitals and digits with hyphens, such as TWGCB-01-014"})
	}
	if b.Version == "" || len(b.Version) > 32 {
		faults = append(faults, yamlfile.Fault{Path: path + ".version", Problem: "is needed, such as \"1.2\""})
	}
	if b.Numbers != NumbersQuoted && b.Numbers != NumbersOwn {
		faults = append(faults, yamlfile.Fault{Path: path + ".numbers", Problem: "must be quoted or own"})
	}
	if len(b.AppliesTo) == 0 {
		faults = append(faults, yamlfile.Fault{Path: path + ".applies_to", Problem: "must name at least one system"})
	}
	for i, s := range b.AppliesTo {
		if s.ID == "" || s.Version == "" {
			faults = append(faults, yamlfile.Fault{Path: fmt.Sprintf("%s.applies_to[%d]", path, i), Problem: "needs id and version, as in os-release(5)"})
		}
	}
	return append(faults, b.Title.wrong(path+".title")...)
}

func (t Text) wrong(path string) []yamlfile.Fault {
	if t.ZH == "" || t.EN == "" || len(t.ZH) > maxText || len(t.EN) > maxText {
		return []yamlfile.Fault{{Path: path, Problem: fmt.Sprintf("needs zh and en, of at most %d bytes each", maxText)}}
	}
	return nil
}

func (r *Rule) wrong(path string) []yamlfile.Fault {
	var faults []yamlfile.Fault
	if len(r.In) == 0 {
		faults = append(faults, yamlfile.Fault{Path: path + ".in", Problem: "must name at least one baseline"})
	}
	for id, number := range r.In {
		if !baselineID.MatchString(id) || !ruleNumber.MatchString(number) {
			faults = append(faults, yamlfile.Fault{Path: path + ".in", Problem: fmt.Sprintf("%s: %q: a baseline's id and four digits in quotes are needed", id, number)})
		}
	}
	faults = append(faults, r.Title.wrong(path+".title")...)
	faults = append(faults, r.Remedy.wrong(path+".remedy")...)
	if r.When != nil {
		faults = append(faults, r.When.wrong(path+".when")...)
	}
	return append(faults, r.wrongCheck(path)...)
}

func (r *Rule) wrongCheck(path string) []yamlfile.Fault {
	given := r.all()
	if len(given) != 1 {
		return []yamlfile.Fault{{Path: path, Problem: fmt.Sprintf("needs exactly one check and has %d", len(given))}}
	}
	c := given[0]
	faults := c.wrong(path + "." + c.key)
	switch {
	case c.compares() && r.Expect == nil:
		faults = append(faults, yamlfile.Fault{Path: path + ".expect", Problem: "is needed by the check " + c.key})
	case c.compares():
		faults = append(faults, r.Expect.wrong(path+".expect")...)
	case r.Expect != nil:
		faults = append(faults, yamlfile.Fault{Path: path + ".expect", Problem: "means nothing to the check " + c.key})
	}
	return faults
}

// needs is a fault unless all values are given.
func needs(path, key string, values ...string) []yamlfile.Fault {
	if len(values) == 0 || slices.Contains(values, "") {
		return []yamlfile.Fault{{Path: path + "." + key, Problem: "is needed"}}
	}
	return nil
}
