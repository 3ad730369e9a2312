//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchSpec is what the host tells its launcher, as one JSON argument.
type launchSpec struct {
	Path      string   `json:"path"`
	SHA256    string   `json:"sha256"`
	Owners    []int    `json:"owners"`
	SocketDir string   `json:"socket_dir"`
	UID       int      `json:"uid"`
	GID       int      `json:"gid"`
	Memory    uint64   `json:"memory"`
	ReadPaths []string `json:"read_paths,omitempty"`
	Network   bool     `json:"network,omitempty"`
	HostPID   int      `json:"host_pid"`
	// Interpreter is the program's, if it needs one.
	Interpreter *Interpreter `json:"interpreter,omitempty"`
	// GroupSocket leaves the socket to the folder's group too: the host's, where
	// it runs as another user.
	GroupSocket bool `json:"group_socket,omitempty"`
}

// reportFD is where the launcher tells the host what it could enforce.
const reportFD = 3

// exitLaunch is the exit code of a launcher that refused or failed.
const exitLaunch = 126

// Launch is the launcher: it gives up every right that the plugin does not
// need, checks the program, and becomes it. It returns an exit code only if it
// failed. A program that hosts plugins calls it first thing from a hidden
// subcommand, with that subcommand's arguments.
func Launch(args []string) int {
	// Seccomp, the death signal and exec all belong to one thread.
	runtime.LockOSThread()
	err := launch(args)
	fmt.Fprintln(os.Stderr, "plugin launcher:", err)
	return exitLaunch
}

func launch(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, got %d", len(args))
	}
	var spec launchSpec
	if err := json.Unmarshal([]byte(args[0]), &spec); err != nil {
		return err
	}
	if spec.GroupSocket {
		unix.Umask(0) // only owner and group pass through the socket's folder
	}
	image, err := imageOf(spec)
	if err != nil {
		return err
	}
	enforced, err := confine(spec, image.executable)
	if err != nil {
		return err
	}
	if err := report(enforced); err != nil {
		return err
	}
	return execDescriptor(image.file, image.arguments, pluginEnvironment())
}

// report writes the sandbox's state to the host and closes the pipe.
func report(s sandbox) error {
	pipe := os.NewFile(reportFD, "report")
	defer func() { _ = pipe.Close() }()
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = pipe.Write(raw)
	return err
}

// pluginEnvironment passes on what go-plugin's handshake needs and nothing else.
func pluginEnvironment() []string {
	var kept []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "PLUGIN_") || strings.HasPrefix(name, "MENSHEN_INFERENCE_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

// execDescriptor becomes the program behind the descriptor (execveat(2) with
// AT_EMPTY_PATH): the very bytes that were checked.
func execDescriptor(program *os.File, arguments, env []string) error {
	argv, err := syscall.SlicePtrFromStrings(arguments)
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	empty, err := syscall.BytePtrFromString("")
	if err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, program.Fd(), uintptr(unsafe.Pointer(empty)), // #nosec G103 -- execveat has no wrapper
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0) // #nosec G103 -- execveat has no wrapper
	runtime.KeepAlive(argv)
	runtime.KeepAlive(envv)
	return fmt.Errorf("exec: %w", errno)
}
