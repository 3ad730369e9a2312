//go:build linux

// Command demo shows the whole way on one machine: a laptop's TPM, a person's
// security key and a trust plugin open a portal behind nginx, and the portal
// closes again when the laptop's health fails, a cookie is stolen, the agent
// falls silent, or Evidence is forged. Every part is the real program; the
// machine's own network, firewall and /etc are not touched.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case lab.EnterVerb:
			exit(lab.Enter(os.Args[2:]))
		case thiefVerb:
			exit(runThief(os.Args[2]))
		case forgeVerb:
			exit(runForger(os.Args[2:]))
		}
	}
	keep := flag.Bool("keep", false, "leave everything running at the end, and say how to look around")
	pictures := flag.String("pictures", "out/demo", "folder for the screenshots")
	bin := flag.String("bin", "", "folder of built binaries; empty builds them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *bin, *pictures, *keep)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, bin, pictures string, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run `sudo make demo`")
	}
	n := &narrator{out: os.Stdout, began: time.Now()}
	w, err := newWorld(ctx, bin, pictures)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	fmt.Println("Menshen: from a laptop's TPM to an open portal, with real parts.")
	fmt.Printf("Shortened for the demo: attestation every %v, silent after %v, stale after %v.\n", interval, silentAfter, 3*interval)
	if err := story(ctx, n, w); err != nil {
		return errors.Join(err, w.Explain())
	}
	n.Summary()
	if keep {
		w.LookAround(ctx)
	}
	return nil
}
