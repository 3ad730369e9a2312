package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// EnterVerb is the first argument by which a lab program calls itself to enter
// a place; its main hands such calls to Enter.
const EnterVerb = "lab-enter"

// Where says in which place, with which files laid over the host's, and as
// which user a command runs.
type Where struct {
	Place Place
	// Bind lays a file or folder of the lab over one that exists, in the
	// command's own mount namespace: target → source.
	Bind map[string]string
	// UID is the user and group that the command runs as, 0 for root.
	UID int
}

// Command returns argv to be run at w. Its process is argv's own: the way in
// ends in exec, so that signals and exit codes are the command's.
func (w Where) Command(argv ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	args := []string{EnterVerb, string(w.Place), strconv.Itoa(w.UID), strconv.Itoa(len(w.Bind))}
	for target, source := range w.Bind {
		args = append(args, target, source)
	}
	return exec.Command(self, append(args, argv...)...) // #nosec G204 -- the lab's own commands
}

// Enter carries out what Command asked for. It returns only on failure.
func Enter(args []string) error {
	if len(args) < 4 {
		return errors.New("lab: " + EnterVerb + " PLACE UID BINDS [TARGET SOURCE]… COMMAND")
	}
	uid, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("lab: uid: %w", err)
	}
	binds, err := strconv.Atoi(args[2])
	if err != nil || len(args) < 3+2*binds+1 {
		return errors.New("lab: malformed binds")
	}
	runtime.LockOSThread() // namespaces belong to the thread, and exec keeps this one's
	if err := enterNetwork(args[0]); err != nil {
		return err
	}
	if err := bindAll(args[3 : 3+2*binds]); err != nil {
		return err
	}
	if err := become(uid); err != nil {
		return err
	}
	argv := args[3+2*binds:]
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return unix.Exec(path, argv, os.Environ())
}

func enterNetwork(place string) error {
	if place == "" {
		return nil
	}
	ns, err := os.Open(filepath.Join("/run/netns", filepath.Base(place)))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer func() { _ = ns.Close() }()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("lab: entering %s: %w", place, err)
	}
	return nil
}

func bindAll(pairs []string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("lab: own mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("lab: private mounts: %w", err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := unix.Mount(pairs[i+1], pairs[i], "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("lab: laying %s over %s: %w", pairs[i+1], pairs[i], err)
		}
	}
	return nil
}

func become(uid int) error {
	if uid == 0 {
		return nil
	}
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("lab: groups: %w", err)
	}
	if err := unix.Setresgid(uid, uid, uid); err != nil {
		return fmt.Errorf("lab: group %d: %w", uid, err)
	}
	if err := unix.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("lab: user %d: %w", uid, err)
	}
	return nil
}
