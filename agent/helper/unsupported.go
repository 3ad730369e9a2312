//go:build !linux

package helper

import (
	"context"
	"log/slog"
	"net"

	"github.com/menshen-zt/menshen/internal/wire"
)

// checkServer refuses: there is no helper on this system that could be proven.
func checkServer(net.Conn) error { return ErrUnsupported }

// Config says where the helper listens and whom it answers.
type Config struct {
	Socket   string
	AgentUID int
	Logger   *slog.Logger
	EventLog func() ([]byte, error)
	IMA      func(from int) (*wire.IMAPiece, error)
}

// Run returns ErrUnsupported.
func Run(context.Context, Config) error { return ErrUnsupported }
