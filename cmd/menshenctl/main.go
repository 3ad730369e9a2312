// Command menshenctl is the administrators' command line. It asks the PDP by
// its Unix socket, on the PDP's own machine; "audit verify" works anywhere.
//
// Exit codes: 0 done; 1 refused, failing or broken; 2 cannot tell, such as a
// PDP that does not answer or a log that cannot be read; 64 (EX_USAGE) for a
// command line that is not understood.
package main

import (
	"context"
	"os"
	"os/signal"
)

// version is set by the build.
var version = "unreleased"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := execute(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
