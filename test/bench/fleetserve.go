//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/lab"
)

// fleetVerb is the argument by which this program becomes a fleet's PDP.
const fleetVerb = "serve-fleet"

// serveFleet runs the PDP in dir and prints where agents reach it, until it is
// told to stop.
func serveFleet(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	p := lab.OpenPDP(dir)
	if err := p.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	fmt.Println(p.Agents)
	for {
		select {
		case <-ask:
			debug.FreeOSMemory() // what was needed once is no device's
		case <-ctx.Done():
			return p.Stop()
		}
	}
}

// newFleet initialises a PDP and writes the sample's devices into its store: no
// TPM stands behind them, so that they cannot enrol.
func newFleet(ctx context.Context, dir string) (*lab.PDP, error) {
	p, err := lab.NewPDP(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	return p, eachDevice(dir, 0, sampled, func(d *directory.Directory, n int) error {
		s, err := attacker.NewSimulated(n)
		if err != nil {
			return err
		}
		return d.AddDevice(ctx, record(n, s), "", nil, nil)
	})
}

func nameOf(n int) string { return fmt.Sprintf("SIM-%06d", n) }

// record is a device as enrolment would have written it.
func record(n int, s *attacker.Simulated) wire.Device {
	ek := sha256.Sum256(fmt.Appendf(nil, "ek %d", n))
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	if err != nil {
		panic(err) // the system's randomness never fails
	}
	return wire.Device{
		ID: id, Agency: lab.Agency, Name: nameOf(n), Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		EKDigest: ek[:], AK: s.Public, AKQualifiedName: s.Name, SigningKey: s.Public, TLSSPKI: s.SPKI[:], EnrolledAt: time.Now().UTC(),
	}
}

// growFleet adds the rest of the fleet, each with what the PDP keeps of a
// device that has attested: a copy of the first one's records, with its own id
// and name.
func growFleet(ctx context.Context, dir string) error {
	var kept []store.Record
	var first string
	err := withStore(dir, func(s store.Store) (err error) {
		dev, err := directory.New(s, time.Now, rand.Reader).DeviceByName(ctx, lab.Agency, nameOf(0))
		if err != nil {
			return err
		}
		first = dev.ID
		kept, err = recordsOf(ctx, s, first)
		return err
	})
	if err != nil {
		return err
	}
	shape, err := attacker.NewSimulated(0)
	if err != nil {
		return err
	}
	return eachDevice(dir, sampled, fleet, func(d *directory.Directory, n int) error {
		s := *shape // its keys are never used; what must be its own is
		s.SPKI = sha256.Sum256(fmt.Appendf(nil, "tls %d", n))
		dev := record(n, &s)
		var ops []store.Op
		for _, r := range kept {
			ops = append(ops, store.Op{
				Key:   string(bytes.ReplaceAll([]byte(r.Key), []byte(first), []byte(dev.ID))),
				Value: bytes.ReplaceAll(bytes.ReplaceAll(r.Value, []byte(first), []byte(dev.ID)), []byte(nameOf(0)), []byte(dev.Name)),
			})
		}
		return d.AddDevice(ctx, dev, "", nil, ops)
	})
}

// recordsOf are all records that the appraisal keeps under a device's id.
func recordsOf(ctx context.Context, s store.Store, id string) ([]store.Record, error) {
	var found []store.Record
	for _, kind := range []string{"attestation"} {
		page, err := s.Scan(ctx, store.Prefix(kind, ""), "", 500)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			if bytes.Contains([]byte(r.Key), []byte(id)) {
				found = append(found, r)
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the PDP kept nothing of a device that attested")
	}
	return found, nil
}

func withStore(dir string, do func(store.Store) error) error {
	s, err := bolt.Open(storeFile(dir), bolt.Options{})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// eachDevice writes devices from a number up to another, many at once so that
// they share the disk's syncs.
func eachDevice(dir string, from, to int, write func(*directory.Directory, int) error) error {
	const writers = 256
	return withStore(dir, func(s store.Store) error {
		d := directory.New(s, time.Now, rand.Reader)
		var next atomic.Int64
		next.Store(int64(from))
		var group sync.WaitGroup
		faults := make(chan error, writers)
		for range writers {
			group.Go(func() {
				for n := next.Add(1) - 1; n < int64(to); n = next.Add(1) - 1 {
					if err := write(d, int(n)); err != nil {
						faults <- err
						return
					}
				}
			})
		}
		group.Wait()
		close(faults)
		return <-faults
	})
}

// serveVerb runs this program as a part of a measurement, if it was started so.
func serveVerb(args []string) (bool, error) {
	switch {
	case len(args) == 2 && servers[args[1]] != nil:
		return true, serve(args[1])
	case len(args) == 3 && args[1] == measureAgent:
		watched, err := time.ParseDuration(args[2])
		if err != nil {
			return true, err
		}
		return true, measure(context.Background(), watched)
	case len(args) == 3 && args[1] == fleetVerb:
		return true, serveFleet(args[2])
	}
	return false, nil
}
