package helper

import (
	"fmt"
	"net"

	"github.com/menshen-zt/menshen/internal/unixsocket"
)

// checkServer makes sure that root answers, and not somebody who put a socket
// in the helper's place.
func checkServer(conn net.Conn) error {
	uid, err := unixsocket.PeerUID(conn)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if uid != 0 {
		return fmt.Errorf("%w: user %d answers in the helper's place", ErrRefused, uid)
	}
	return nil
}
