//go:build !linux

package helper

import (
	"context"
	"log/slog"
	"net"
)

// checkServer refuses: there is no helper on this system that could be proven.
func checkServer(net.Conn) error { return ErrUnsupported }

// Config says where the helper listens and whom it answers.
type Config struct {
	Socket   string
	AgentUID int
	Logger   *slog.Logger
}

// Run returns ErrUnsupported.
func Run(context.Context, Config) error { return ErrUnsupported }
