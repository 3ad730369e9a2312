//go:build linux

package adversary

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

const clockFile = "pdp/verifier/clock.go"

func counters() []attack {
	return []attack{
		{
			name: "TPM state put back, resets", after: "counters that nobody compares",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				back := s.saved(s.mine)
				s.boot(s.mine)
				s.accepted(s.booted(d, s.mine))
				back()
				return s.attest(s.booted(d, s.mine), nil)
			}, want: []string{reason.ResetCountFell}, answer: told,
			check: check{file: clockFile, code: "case now.ResetCount < previous.ResetCount:", without: "case false:"},
		},
		{
			name: "TPM state put back, clock", after: "counters that nobody compares",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				back := s.saved(s.mine)
				s.advance(s.mine, time.Hour)
				s.accepted(s.booted(d, s.mine))
				back()
				return s.attest(s.booted(d, s.mine), nil)
			}, want: []string{reason.ClockFell}, answer: told,
			check: check{file: clockFile, code: "case now.Clock < previous.Clock && (sameBoot || now.Safe):", without: "case false && (sameBoot || now.Safe):"},
		},
		{
			name: "wake-ups counted back", after: "counters that nobody compares",
			try: func(s *stage) attacker.Outcome {
				return s.remembered(func(clock map[string]any) { clock["restart_count"] = clock["restart_count"].(float64) + 1 })
			}, want: []string{reason.RestartCountFell}, answer: told,
			check: check{file: clockFile, code: "case sameReset && now.RestartCount < previous.RestartCount:", without: "case false:"},
		},
		{
			name: "TPM firmware put back", after: "no peer looks at it",
			try: func(s *stage) attacker.Outcome {
				return s.remembered(func(clock map[string]any) { clock["firmware_version"] = uint64(1) << 63 })
			}, want: []string{reason.FirmwareFell}, answer: told,
			check: check{file: clockFile, code: "if now.FirmwareVersion < previous.FirmwareVersion {", without: "if false {"},
		},
	}
}

// saved switches the machine off, keeps its TPM's state, and returns what puts
// it back: an attack with a soldering iron on real ones. The machine is on again.
func (s *stage) saved(m *machine) (back func()) {
	s.Helper()
	kept := filepath.Join(s.TempDir(), "state")
	s.off(m)
	s.copied(m.dir, kept)
	s.on(m)
	return func() {
		s.Helper()
		s.off(m)
		s.ok(os.RemoveAll(m.dir))
		s.copied(kept, m.dir)
		s.on(m)
	}
}

func (s *stage) off(m *machine) {
	s.Helper()
	s.ok(firmware.Shutdown(m.chip.TPM))
	s.ok(m.soft.Stop())
}

// on switches a machine on that is off.
func (s *stage) on(m *machine) {
	s.Helper()
	m.soft = must(swtpm.Start(context.Background(), m.dir))(s)
	m.log = must(firmware.Boot(m.chip.TPM, m.pc))(s)
}

func (s *stage) copied(from, to string) {
	s.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
}

// booted is the device after another boot of its machine: it sends that log.
func (s *stage) booted(d *device, m *machine) *device {
	d.Log = m.log
	return d
}

// advance sets the TPM's clock forward, which its owner may.
func (s *stage) advance(m *machine, by time.Duration) {
	s.Helper()
	s.ok(m.chip.Advance(by))
}

// remembered attests, changes what the PDP remembers of the TPM's counters while
// it is down, and attests again: a software TPM cannot be made to count these
// back by itself.
func (s *stage) remembered(change func(clock map[string]any)) attacker.Outcome {
	s.Helper()
	d := s.enrolled(s.mine)
	s.accepted(d)
	s.ok(s.pdp.Stop())
	s.rewrite(store.Key("attestation", lab.Agency, d.id), change)
	s.ok(s.pdp.Start(context.Background()))
	d.Link = s.link(s.mine, d.Keys.TLS)
	return s.attest(d, nil)
}

func (s *stage) rewrite(key string, change func(clock map[string]any)) {
	s.Helper()
	kept := must(bolt.Open(filepath.Join(s.pdp.Config.Data, "store.db"), bolt.Options{}))(s)
	defer func() { s.ok(kept.Close()) }()
	record := must(kept.Get(context.Background(), key, store.Linearizable))(s)
	var value map[string]any
	s.ok(json.Unmarshal(record.Value, &value))
	clock, is := value["clock"].(map[string]any)
	if !is {
		s.Fatalf("no clock is kept in %s", record.Value)
	}
	change(clock)
	raw := must(json.Marshal(value))(s)
	must(kept.Txn(context.Background(), nil, []store.Op{{Key: key, Value: raw}}))(s)
}
