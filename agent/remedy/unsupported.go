//go:build !linux

package remedy

import (
	"context"
	"net"
)

// Run returns ErrUnsupported.
func Run(context.Context, Config) error { return ErrUnsupported }

func checkServer(net.Conn) error { return ErrUnsupported }
