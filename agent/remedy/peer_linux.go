package remedy

import (
	"fmt"
	"net"

	"github.com/menshen-zt/menshen/internal/unixsocket"
)

// checkServer makes sure that root answers.
func checkServer(conn net.Conn) error {
	uid, err := unixsocket.PeerUID(conn)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if uid != 0 {
		return fmt.Errorf("%w: user %d answers in its place", ErrUnreachable, uid)
	}
	return nil
}
