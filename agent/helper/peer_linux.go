package helper

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

var errStranger = errors.New("helper: the peer may not ask")

// peerUID returns the user of the process at the other end, as the kernel
// noted it when the connection was made (unix(7), SO_PEERCRED).
func peerUID(conn net.Conn) (uint32, error) {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errStranger
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}

// checkServer makes sure that root answers, and not somebody who put a socket
// in the helper's place.
func checkServer(conn net.Conn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if uid != 0 {
		return fmt.Errorf("%w: user %d answers in the helper's place", ErrRefused, uid)
	}
	return nil
}
