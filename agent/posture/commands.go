package posture

import "context"

// Commands runs a program that is a system's own interface, and returns what it
// printed and its exit code. An error says that it did not run to its end.
type Commands interface {
	Run(ctx context.Context, program string, args ...string) ([]byte, int, error)
}
