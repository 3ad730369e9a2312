//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
)

const (
	// fleet is how many devices the PDP knows; sampled are those of them that
	// truly attest, each over a connection of its own, as agents do.
	fleet   = 100_000
	sampled = 1000
	// openPolls are held open at once: two of each device of the sample.
	openPolls    = 2 * sampled
	interval     = 5 * time.Minute
	fleetWorkers = 8
)

// fleetServer is a PDP in a process of its own.
type fleetServer struct {
	cmd     *exec.Cmd
	address string
}

// startFleet starts this program again as a PDP over the folder dir.
func startFleet(ctx context.Context, dir string) (*fleetServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, fleetVerb, dir) // #nosec G204 -- this program itself
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the PDP did not start: %w", err), cmd.Wait())
	}
	return &fleetServer{cmd, strings.TrimSpace(address)}, nil
}

func (f *fleetServer) stop() error {
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return f.cmd.Wait()
}

// memory is what the process holds that is its own: the store's file, which the
// kernel maps and can drop, is not in it.
func (f *fleetServer) memory() (float64, error) {
	if err := f.cmd.Process.Signal(syscall.SIGUSR1); err != nil { // give back what is garbage
		return 0, err
	}
	time.Sleep(2 * time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var kilobytes float64
	_, err = fmt.Sscanf(field(string(status), "RssAnon"), "%f kB", &kilobytes)
	return kilobytes * 1024, err
}

// cost runs work and returns the CPU that the server used.
func (f *fleetServer) cost(work func() error) (time.Duration, error) {
	before, err := cpuTime(f.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := cpuTime(f.cmd.Process.Pid)
	return after - before, err
}

// devices are a fleet's PDP with its sample of devices.
type devices struct {
	server *fleetServer
	roots  *x509.CertPool
	log    []byte
	pcrs   []wire.PCRValue
	sample []*simulated
}

// simulated is one device of the sample.
type simulated struct {
	*attacker.Simulated
	attacker.Device
	claims []byte
}

// fleets measures what a hundred thousand devices cost one PDP.
func fleets(ctx context.Context, _ int) (lines []line, err error) {
	dir, err := os.MkdirTemp("", "fleet-") // sockets' paths are short
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pem, err := makeFleet(ctx, dir)
	if err != nil {
		return nil, err
	}
	d, err := newDevices(pem)
	if err != nil {
		return nil, err
	}
	// One device attests, so that the store's record of it can be copied.
	if d.server, err = startFleet(ctx, dir); err != nil {
		return nil, err
	}
	few, err := d.server.memory()
	if err == nil {
		err = d.attest(ctx, d.sample[0], false)
	}
	if err = errors.Join(err, d.server.stop()); err != nil {
		return nil, err
	}
	if err := growFleet(ctx, dir); err != nil {
		return nil, err
	}
	if d.server, err = startFleet(ctx, dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.server.stop()) }()
	many, err := d.server.memory()
	if err != nil {
		return nil, err
	}
	return d.measure(ctx, (many-few)/fleet)
}

func newDevices(pem []byte) (*devices, error) {
	events, err := firmware.Build(firmware.Laptop("bench"))
	if err != nil {
		return nil, err
	}
	d := &devices{roots: x509.NewCertPool(), log: firmware.Marshal(events, crypto.SHA1, crypto.SHA256)}
	d.roots.AppendCertsFromPEM(pem)
	replayed := firmware.Replay(events, crypto.SHA256, 0)
	for _, index := range wire.QuotedPCRs {
		d.pcrs = append(d.pcrs, wire.PCRValue{Index: index, Digest: replayed[index]})
	}
	for n := range sampled {
		s, err := attacker.NewSimulated(n)
		if err != nil {
			return nil, err
		}
		claims, err := attacker.Claims(time.Now(), func(c *wire.Claims) { personal(c, nameOf(n)) })
		if err != nil {
			return nil, err
		}
		d.sample = append(d.sample, &simulated{Simulated: s, claims: claims})
	}
	return d, nil
}

// personal gives a laptop words of its own, so that not all its claims are other
// laptops' too: about its disk, its administrators and its antivirus.
func personal(c *wire.Claims, name string) {
	for i := range c.Claims {
		switch claim := &c.Claims[i]; claim.ID {
		case wire.ClaimDiskEncryption:
			claim.Value = map[string]string{"/": name + "--vg-root > luks-1f0a4c11-9d7e-4a51-8a3e > nvme0n1p3 > nvme0n1"}
		case wire.ClaimAdministrators:
			claim.Value = map[string]string{"count": "2", "names": "root person-of-" + name}
		case wire.ClaimAntivirus:
			claim.Value = map[string]string{"product": "clamav-daemon.service", "signatures": name}
		}
	}
}

// attest is one whole attestation over a new connection: an agent closes its
// own long before the next is due. brief sends digests for what was sent before.
func (d *devices) attest(ctx context.Context, s *simulated, brief bool) (err error) {
	if s.Link, err = attacker.NewLink(d.server.address, s.TLS, d.roots); err != nil {
		return err
	}
	defer s.Link.Reconnect()
	asked, err := s.Nonce(ctx)
	if err != nil {
		return err
	}
	binding := wire.QuoteBinding([wire.NonceSize]byte(asked.Nonce), s.claims, s.SPKI)
	quote, err := s.Quote(binding[:], d.pcrs)
	if err != nil {
		return err
	}
	e := wire.Evidence{Claims: s.claims, Quote: quote, PCRs: d.pcrs, EventLog: d.log}
	if brief {
		claims, log := sha256.Sum256(s.claims), sha256.Sum256(d.log)
		e.Claims, e.ClaimsDigest, e.EventLog, e.EventLogDigest = nil, claims[:], nil, log[:]
	}
	answer, err := s.Send(ctx, asked.Ticket, e)
	if err == nil && (!answer.Accepted || len(answer.Wants) > 0) {
		err = fmt.Errorf("honest Evidence is not accepted: %d %v, wants %v", answer.Status, answer.Codes(), answer.Wants)
	}
	return err
}

// each has all of the sample do something, a few at once.
func (d *devices) each(do func(*simulated) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	faults := make(chan error, fleetWorkers)
	for range fleetWorkers {
		group.Go(func() {
			for n := next.Add(1) - 1; n < sampled; n = next.Add(1) - 1 {
				if err := do(d.sample[n]); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(faults)
	return <-faults
}

func (d *devices) measure(ctx context.Context, perDevice float64) ([]line, error) {
	var costs [2]float64 // nanoseconds for the first attestation, and for one unchanged
	for i, brief := range []bool{false, true} {
		took, err := d.server.cost(func() error {
			return d.each(func(s *simulated) error { return d.attest(ctx, s, brief) })
		})
		if err != nil {
			return nil, err
		}
		costs[i] = float64(took) / sampled
	}
	time.Sleep(2 * time.Second) // for what an attestation leaves to be done
	idle, err := d.server.cost(func() error { time.Sleep(wire.PollLife / 2); return nil })
	if err != nil {
		return nil, err
	}
	rest := idle.Seconds() / (wire.PollLife / 2).Seconds()
	floor, err := verification()
	if err != nil {
		return nil, err
	}
	connection, poll, err := d.poll(ctx, rest)
	if err != nil {
		return nil, err
	}
	// Each device attests once an interval and asks one poll after the other.
	perSecond := costs[1]/interval.Seconds() + poll/wire.PollLife.Seconds()
	share := (perSecond*fleet/1e9 + rest) / float64(runtime.NumCPU())
	return []line{
		{name: "first attestation by the API, CPU", figure: nanoseconds(costs[0]), floor: floor},
		{name: "unchanged attestation by the API, CPU", figure: nanoseconds(costs[1]), floor: floor},
		{name: "long poll of 20 s, CPU", figure: nanoseconds(poll), floor: floor},
		{name: "PDP that nobody asks, share of a core", figure: percent(rest)},
		{name: fmt.Sprintf("%d devices every 5 min, of %d cores", fleet, runtime.NumCPU()), figure: percent(share), limit: percent(0.5)},
		{name: "state of a device", figure: kilobytes(perDevice), limit: kilobytes(2 << 10)},
		{name: "open connection of a device", figure: kilobytes(connection), limit: kilobytes(32 << 10)},
	}, nil
}

// verification is the floor: the CPU of a bare ECDSA verification at this hour on
// this machine.
func verification() (value, error) {
	const many = 4000
	s, err := attacker.NewSimulated(0)
	if err != nil {
		return value{}, err
	}
	digest := sha256.Sum256([]byte("floor"))
	signature, err := ecdsa.SignASN1(rand.Reader, s.AK, digest[:])
	if err != nil {
		return value{}, err
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		return value{}, err
	}
	for range many {
		if !ecdsa.VerifyASN1(&s.AK.PublicKey, digest[:], signature) {
			return value{}, errors.New("a true signature is refused")
		}
	}
	after, err := cpuTime(os.Getpid())
	return nanoseconds(float64(after-before) / many), err
}

// poll holds long polls open and returns the memory that each connection takes
// and the CPU that each poll costs, beyond what the PDP uses at rest.
func (d *devices) poll(ctx context.Context, rest float64) (memory, cpu float64, err error) {
	before, err := d.server.memory()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var polls atomic.Int64
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for n := range openPolls {
		s := d.sample[n%sampled]
		link, err := attacker.NewLink(d.server.address, s.TLS, d.roots)
		if err != nil {
			return 0, 0, err
		}
		group.Go(func() {
			for ctx.Err() == nil {
				if answer, err := link.Get(ctx, "/v1/poll"); err != nil || answer.Code != "" {
					return // counted below: too few polls are an error
				}
				polls.Add(1)
			}
		})
	}
	time.Sleep(wire.PollLife / 2) // all stand now, and none has ended
	after, err := d.server.memory()
	if err != nil {
		return 0, 0, err
	}
	begun := polls.Load()
	took, err := d.server.cost(func() error { time.Sleep(wire.PollLife); return nil })
	if err != nil {
		return 0, 0, err
	}
	done := polls.Load() - begun
	if done < openPolls*9/10 {
		return 0, 0, fmt.Errorf("%d of %d polls ended in their time", done, openPolls)
	}
	return (after - before) / openPolls, (float64(took) - rest*float64(wire.PollLife)) / float64(done), nil
}

func kilobytes(bytes float64) value { return value{bytes / 1024, "kB"} }

// makeFleet makes the PDP's folder with the sample in its store, and returns its
// CA's certificate.
func makeFleet(ctx context.Context, dir string) ([]byte, error) {
	p, err := newFleet(ctx, dir)
	if err != nil {
		return nil, err
	}
	return pdp.CA(p.Config)
}

func storeFile(dir string) string { return filepath.Join(dir, "data", "store.db") }
