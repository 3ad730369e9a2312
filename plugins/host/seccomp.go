//go:build linux && (amd64 || arm64)

package host

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (seccomp(2)). Arguments are 64 bits wide; on
// these little-endian machines the low half comes first.
const (
	offsetNumber   = 0
	offsetArch     = 4
	offsetArgument = 16 // of the first; the others follow, 8 bytes apart
)

// deniedCalls are system calls that no plugin needs: seeing or changing other
// processes, leaving the process group (so that one signal reaches all of
// it), making namespaces, and io_uring, which passes by the socket rule.
func deniedCalls() []uint32 {
	return []uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
		unix.SYS_SETSID, unix.SYS_SETPGID,
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
		unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_PERSONALITY,
	}
}

// filterSyscalls installs the filter on this thread; what it executes keeps it.
func filterSyscalls(network bool) error {
	program := filter(deniedCalls(), network)
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}                                 // #nosec G115 -- fewer than 100 instructions
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0) // #nosec G103 -- prctl takes a pointer
	runtime.KeepAlive(program)
	return err
}

// filter is the program: a foreign architecture or the x32 ABI kills, a socket
// that is neither a Unix socket nor, with a network, TCP and each denied call give EPERM, clone3 ENOSYS (its
// flags lie behind a pointer; callers fall back to clone), the rest is allowed.
func filter(denied []uint32, network bool) []unix.SockFilter {
	const x32 = 0x40000000
	eperm := statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	kill := statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_KILL_PROCESS)
	program := []unix.SockFilter{
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offsetArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0), kill,
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offsetNumber),
		jump(unix.BPF_JGE, x32, 0, 1), kill,
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)),
	}
	for _, number := range denied {
		program = append(program, jump(unix.BPF_JEQ, number, 0, 1), eperm)
	}
	allow := statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW)
	program = append(program,
		jump(unix.BPF_JEQ, unix.SYS_SOCKET, 1, 0), allow,
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offsetArgument),
		jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 1), allow)
	if network {
		program = append(program, tcpOnly(allow, eperm)...)
	}
	return append(program, eperm)
}

// tcpOnly goes on with the domain loaded: an IPv4 or IPv6 stream socket whose
// protocol is the default or TCP is allowed. Multipath TCP passes by landlock's
// rules, so it is not.
func tcpOnly(allow, eperm unix.SockFilter) []unix.SockFilter {
	const kindMask = 0xf // above it are SOCK_NONBLOCK and SOCK_CLOEXEC
	return []unix.SockFilter{
		jump(unix.BPF_JEQ, unix.AF_INET, 2, 0),
		jump(unix.BPF_JEQ, unix.AF_INET6, 1, 0), eperm,
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offsetArgument+8),
		statement(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, kindMask),
		jump(unix.BPF_JEQ, unix.SOCK_STREAM, 1, 0), eperm,
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offsetArgument+16),
		jump(unix.BPF_JEQ, 0, 1, 0),
		jump(unix.BPF_JEQ, unix.IPPROTO_TCP, 0, 1), allow,
	}
}

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(test uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, Jt: yes, Jf: no, K: k}
}
