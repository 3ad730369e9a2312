package unixsocket

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// PeerUID returns the user of the process at the other end, as the kernel noted
// it when the connection was made (unix(7), SO_PEERCRED).
func PeerUID(conn net.Conn) (uint32, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, ErrNoPeer
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("unixsocket: %w", err)
	}
	var peer *syscall.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) // #nosec G115 -- a descriptor fits
	}); err != nil {
		return 0, fmt.Errorf("unixsocket: %w", err)
	}
	if failed != nil {
		return 0, fmt.Errorf("unixsocket: %w", failed)
	}
	return peer.Uid, nil
}

// safe reports whether nobody but root and this process's user may write in a
// directory. Another owner could put a link in the socket's place, for root to
// give away what it leads to.
func safe(dir fs.FileInfo) bool {
	stat, ok := dir.Sys().(*syscall.Stat_t)
	own := ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
	return own && dir.Mode().Perm()&0o022 == 0
}
