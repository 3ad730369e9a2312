//go:build linux

package host

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// sandbox says what holds for one plugin's process and what does not.
type sandbox struct {
	Enforced []string `json:"enforced"`
	Missing  []string `json:"missing"`
}

func (s *sandbox) note(ok bool, what string) {
	if ok {
		s.Enforced = append(s.Enforced, what)
	} else {
		s.Missing = append(s.Missing, what)
	}
}

// confine takes this process's rights away, in the order in which each step
// still has the rights that it needs.
func confine(spec launchSpec, executable []string) (sandbox, error) {
	var s sandbox
	if err := setLimits(spec); err != nil {
		return s, err
	}
	s.note(true, "resource limits")
	if err := restrictFiles(spec, executable, &s); err != nil {
		return s, err
	}
	if err := dropUser(spec, &s); err != nil {
		return s, err
	}
	if err := dropCapabilities(); err != nil {
		return s, fmt.Errorf("capabilities: %w", err)
	}
	s.note(true, "no capabilities")
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return s, fmt.Errorf("no_new_privs: %w", err)
	}
	s.note(true, "no new privileges")
	// A change of uid cleared the death signal that the host had set.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return s, fmt.Errorf("death signal: %w", err)
	}
	if os.Getppid() != spec.HostPID {
		return s, errors.New("the host is gone")
	}
	if err := filterSyscalls(spec.Network); err != nil {
		return s, fmt.Errorf("seccomp: %w", err)
	}
	sockets := "Unix sockets only"
	if spec.Network {
		sockets = "Unix sockets and TCP"
	}
	s.note(true, "system call filter: "+sockets+", no tracing, no new namespaces")
	return s, nil
}

func setLimits(spec launchSpec) error {
	// The count is of the whole uid: an own one, or the host's with its threads.
	processes := uint64(1024)
	if os.Geteuid() == 0 {
		processes = 256
	}
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_CORE, 0}, // no memory image with people's history
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, 64},
		{unix.RLIMIT_DATA, spec.Memory},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_NPROC, processes},
	}
	for _, l := range limits {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("resource limit %d: %w", l.what, err)
		}
	}
	return nil
}

// restrictFiles leaves the plugin its own program, its socket's folder and the
// configured files, as far as this kernel's landlock reaches.
func restrictFiles(spec launchSpec, executable []string, s *sandbox) error {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	socket := landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSReadDir |
		ll.AccessFSRemoveFile | ll.AccessFSMakeReg | ll.AccessFSMakeSock)
	read := landlock.AccessFSSet(ll.AccessFSReadFile)
	rules := []landlock.Rule{
		landlock.PathAccess(socket, spec.SocketDir),
		landlock.PathAccess(read, spec.Path),
	}
	for _, path := range executable {
		rules = append(rules, landlock.PathAccess(landlock.AccessFSSet(ll.AccessFSExecute)|read, path))
	}
	for _, path := range spec.ReadPaths {
		access := read
		info, err := os.Stat(path)
		if err != nil {
			s.note(false, fmt.Sprintf("%s cannot be opened, so the plugin does not read it: %v", path, err))
			continue
		}
		if info.IsDir() {
			access |= ll.AccessFSReadDir
		}
		rules = append(rules, landlock.PathAccess(access, path))
	}
	if err := restrict(spec.Network, rules); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	s.note(abi >= 1, "landlock: files and programs")
	noteInterpreter(spec, s)
	s.note(abi >= 6, "landlock: signals and abstract sockets of others")
	s.note(abi >= 9, "landlock: other programs' Unix sockets")
	if spec.Network {
		s.note(abi >= 4, "landlock: no TCP port of its own")
	}
	return nil
}

// restrict applies the rules. A plugin with a network connects by TCP and
// listens nowhere; one without has no TCP sockets at all.
func restrict(network bool, rules []landlock.Rule) error {
	all := landlock.V9.BestEffort()
	if !network {
		return all.Restrict(rules...)
	}
	if err := all.RestrictPaths(rules...); err != nil {
		return err
	}
	if err := all.RestrictScoped(); err != nil {
		return err
	}
	return landlock.MustConfig(landlock.AccessNetSet(ll.AccessNetBindTCP)).BestEffort().RestrictNet()
}

// dropUser changes to the plugin's own uid where the host is root.
func dropUser(spec launchSpec, s *sandbox) error {
	if os.Geteuid() != 0 {
		s.note(false, "own uid: the host is not root, so the plugin shares its uid")
		return nil
	}
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	if err := unix.Setresgid(spec.GID, spec.GID, spec.GID); err != nil {
		return fmt.Errorf("gid: %w", err)
	}
	if err := unix.Setresuid(spec.UID, spec.UID, spec.UID); err != nil {
		return fmt.Errorf("uid: %w", err)
	}
	if os.Geteuid() == 0 || os.Getegid() == 0 {
		return errors.New("still root")
	}
	s.note(true, fmt.Sprintf("own uid %d", spec.UID))
	return nil
}

// dropCapabilities gives up what a service manager may have given the host,
// such as low ports: ambient ones would outlive the exec.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}
