package remedy

import (
	"context"
	"log/slog"
	"time"
)

// Config is everything that the process works with.
type Config struct {
	// Socket is where it listens, AgentUID whom it answers besides root.
	Socket   string
	AgentUID int
	// Allowed are the remedies that the administrator permits.
	Allowed []Name
	// Folder keeps the records and the log; it is root's alone.
	Folder string
	// Root is the root of the file system, "/" outside of tests.
	Root string
	// Namespace is a network namespace's descriptor, 0 for this process's own.
	Namespace int
	Commands  Commands
	Clock     func() time.Time
	Logger    *slog.Logger
}

// Commands runs a program and returns what it printed and its exit code.
type Commands interface {
	Run(ctx context.Context, program string, args ...string) ([]byte, int, error)
}
