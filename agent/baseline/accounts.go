package baseline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// AccountsCheck asks one question about the machine's own accounts and groups.
type AccountsCheck struct {
	// Ask is one of those in accountQuestions.
	Ask string `yaml:"ask"`
	// Mode is the most that home directories may permit, for home-modes.
	Mode string `yaml:"mode"`
}

func accountQuestions() map[string]func(*AccountsCheck, *measurement) outcome {
	return map[string]func(*AccountsCheck, *measurement) outcome{
		"uid-zero":             (*AccountsCheck).uidZero,
		"unique-uids":          (*AccountsCheck).uniqueUIDs,
		"unique-gids":          (*AccountsCheck).uniqueGIDs,
		"unique-users":         (*AccountsCheck).uniqueUsers,
		"unique-groups":        (*AccountsCheck).uniqueGroups,
		"groups-exist":         (*AccountsCheck).groupsExist,
		"shadow-group-empty":   (*AccountsCheck).shadowGroup,
		"passwords-shadowed":   (*AccountsCheck).shadowed,
		"no-empty-passwords":   (*AccountsCheck).emptyPasswords,
		"no-plus-in-passwd":    (*AccountsCheck).plusInPasswd,
		"no-plus-in-group":     (*AccountsCheck).plusInGroup,
		"root-group":           (*AccountsCheck).rootGroup,
		"system-shells":        (*AccountsCheck).systemShells,
		"home-modes":           (*AccountsCheck).homeModes,
		"home-owners":          (*AccountsCheck).homeOwners,
		"no-nologin-in-shells": (*AccountsCheck).nologinInShells,
	}
}

func (c *AccountsCheck) wrong(path string) []yamlfile.Fault {
	if accountQuestions()[c.Ask] == nil {
		return []yamlfile.Fault{{Path: path + ".ask", Problem: fmt.Sprintf("%q is not a question that is known", c.Ask)}}
	}
	if _, err := strconv.ParseUint(c.Mode, 8, 12); (c.Ask == "home-modes") != (err == nil) {
		return []yamlfile.Fault{{Path: path + ".mode", Problem: "is needed by home-modes alone, in octal, such as \"0700\""}}
	}
	return nil
}

func (*AccountsCheck) compares() bool { return false }

func (c *AccountsCheck) measure(m *measurement, _ *Expect) outcome {
	return accountQuestions()[c.Ask](c, m)
}

// account is one line of passwd(5).
type account struct {
	name, password, home, shell string
	uid, gid                    int
}

// group is one line of group(5).
type group struct {
	name    string
	id      int
	members []string
}

func (m *measurement) accounts() ([]account, error) {
	text, err := m.read("/etc/passwd")
	if err != nil {
		return nil, err
	}
	var all []account
	for _, line := range lines(text) {
		f := strings.Split(line, ":")
		if len(f) != 7 {
			return nil, fmt.Errorf("odd line in /etc/passwd: %.40q", line)
		}
		uid, err := strconv.Atoi(f[2])
		gid, problem := strconv.Atoi(f[3])
		if err != nil || problem != nil {
			return nil, fmt.Errorf("odd number in /etc/passwd: %.40q", line)
		}
		all = append(all, account{name: f[0], password: f[1], uid: uid, gid: gid, home: f[5], shell: f[6]})
	}
	return all, nil
}

func (m *measurement) groups() ([]group, error) {
	text, err := m.read("/etc/group")
	if err != nil {
		return nil, err
	}
	var all []group
	for _, line := range lines(text) {
		f := strings.Split(line, ":")
		if len(f) != 4 {
			return nil, fmt.Errorf("odd line in /etc/group: %.40q", line)
		}
		id, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("odd number in /etc/group: %.40q", line)
		}
		g := group{name: f[0], id: id}
		if f[3] != "" {
			g.members = strings.Split(f[3], ",")
		}
		all = append(all, g)
	}
	return all, nil
}

// none passes where nothing was found.
func none(found []string, err error) outcome {
	if err != nil {
		return cannot("%v", err)
	}
	return passIf(len(found) == 0, "found: %s", orNone(strings.Join(found, ", ")))
}

// someAccounts returns the names of the accounts that f picks.
func (m *measurement) someAccounts(f func(account) bool) ([]string, error) {
	all, err := m.accounts()
	var found []string
	for _, a := range all {
		if f(a) {
			found = append(found, a.name)
		}
	}
	return found, err
}

// twice returns what is in the list more than once.
func twice[T comparable](list []T) []string {
	count := map[T]int{}
	var found []string
	for _, v := range list {
		if count[v]++; count[v] == 2 {
			found = append(found, fmt.Sprint(v))
		}
	}
	return found
}

func (*AccountsCheck) uidZero(m *measurement) outcome {
	return none(m.someAccounts(func(a account) bool { return a.uid == 0 && a.name != "root" }))
}

func (*AccountsCheck) uniqueUIDs(m *measurement) outcome {
	all, err := m.accounts()
	var list []int
	for _, a := range all {
		list = append(list, a.uid)
	}
	return none(twice(list), err)
}

func (*AccountsCheck) uniqueUsers(m *measurement) outcome {
	list, err := m.someAccounts(func(account) bool { return true })
	return none(twice(list), err)
}

func (*AccountsCheck) uniqueGIDs(m *measurement) outcome {
	all, err := m.groups()
	var list []int
	for _, g := range all {
		list = append(list, g.id)
	}
	return none(twice(list), err)
}

func (*AccountsCheck) uniqueGroups(m *measurement) outcome {
	all, err := m.groups()
	var list []string
	for _, g := range all {
		list = append(list, g.name)
	}
	return none(twice(list), err)
}

func (*AccountsCheck) groupsExist(m *measurement) outcome {
	groups, err := m.groups()
	if err != nil {
		return cannot("%v", err)
	}
	return none(m.someAccounts(func(a account) bool {
		return !slices.ContainsFunc(groups, func(g group) bool { return g.id == a.gid })
	}))
}

func (*AccountsCheck) shadowGroup(m *measurement) outcome {
	groups, err := m.groups()
	if err != nil {
		return cannot("%v", err)
	}
	for _, g := range groups {
		if g.name != "shadow" {
			continue
		}
		primary, err := m.someAccounts(func(a account) bool { return a.gid == g.id })
		return none(append(g.members, primary...), err)
	}
	return notApplicable("there is no group shadow")
}

func (*AccountsCheck) shadowed(m *measurement) outcome {
	return none(m.someAccounts(func(a account) bool { return a.password != "x" && a.password != "*" && a.password != "!" }))
}

func (*AccountsCheck) emptyPasswords(m *measurement) outcome {
	found, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.EmptyPasswords }, "the password database")
	if instead != nil {
		return *instead
	}
	return none(found, nil)
}

func (*AccountsCheck) plusInPasswd(m *measurement) outcome { return m.noPlus("/etc/passwd") }

func (*AccountsCheck) plusInGroup(m *measurement) outcome { return m.noPlus("/etc/group") }

// noPlus: such a line once let the network's directory in (nsswitch.conf(5), compat).
func (m *measurement) noPlus(name string) outcome {
	text, err := m.read(name)
	var found []string
	for _, line := range lines(text) {
		if strings.HasPrefix(line, "+") {
			found = append(found, line)
		}
	}
	return none(found, err)
}

func (*AccountsCheck) rootGroup(m *measurement) outcome {
	all, err := m.accounts()
	if err != nil {
		return cannot("%v", err)
	}
	for _, a := range all {
		if a.name == "root" {
			return passIf(a.gid == 0, "gid = %d", a.gid)
		}
	}
	return cannot("there is no account root")
}

// firstPerson is where people's numbers begin where login.defs says nothing.
const firstPerson = 1000

func (*AccountsCheck) systemShells(m *measurement) outcome {
	settings, err := programs()["login.defs"].read(m)
	if err != nil {
		return cannot("%v", err)
	}
	first := firstPerson
	if n, err := strconv.Atoi(settings["UID_MIN"]); err == nil {
		first = n
	}
	return none(m.someAccounts(func(a account) bool {
		if a.uid == 0 || a.uid >= first || slices.Contains([]string{"sync", "shutdown", "halt"}, a.name) {
			return false
		}
		shell := a.shell[strings.LastIndexByte(a.shell, '/')+1:]
		return shell != "nologin" && shell != "false"
	}))
}

func (*AccountsCheck) nologinInShells(m *measurement) outcome {
	text, err := m.readIfThere("/etc/shells")
	var found []string
	for _, line := range lines(text) {
		if strings.HasSuffix(line, "/nologin") {
			found = append(found, line)
		}
	}
	return none(found, err)
}

// home is one line of RootFacts.Homes.
type home struct {
	account string
	mode    uint64
	owner   int
}

func (m *measurement) homes() ([]home, *outcome) {
	found, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.Homes }, "the home directories")
	if instead != nil {
		return nil, instead
	}
	var all []home
	for _, line := range found {
		f := strings.Fields(line)
		odd := cannot("odd answer about a home directory: %.40q", line)
		if len(f) != 3 {
			return nil, &odd
		}
		mode, err := strconv.ParseUint(f[1], 8, 12)
		owner, problem := strconv.Atoi(f[2])
		if err != nil || problem != nil {
			return nil, &odd
		}
		all = append(all, home{f[0], mode, owner})
	}
	return all, nil
}

func (c *AccountsCheck) homeModes(m *measurement) outcome {
	homes, instead := m.homes()
	if instead != nil {
		return *instead
	}
	most, err := strconv.ParseUint(c.Mode, 8, 12)
	var found []string
	for _, h := range homes {
		if h.mode&^most != 0 {
			found = append(found, fmt.Sprintf("%s %04o", h.account, h.mode))
		}
	}
	return none(found, err)
}

func (*AccountsCheck) homeOwners(m *measurement) outcome {
	homes, instead := m.homes()
	if instead != nil {
		return *instead
	}
	all, err := m.accounts()
	if err != nil {
		return cannot("%v", err)
	}
	uids := map[string]int{}
	for _, a := range all {
		uids[a.name] = a.uid
	}
	var found []string
	for _, h := range homes {
		if uid, known := uids[h.account]; !known || uid != h.owner {
			found = append(found, fmt.Sprintf("%s belongs to %d", h.account, h.owner))
		}
	}
	return none(found, nil)
}
