//go:build linux

package adversary

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

// machine is a PC: its software TPM, what boots on it, and the name that it
// enrols under.
type machine struct {
	name string
	dir  string
	soft *swtpm.TPM
	chip *attacker.Chip
	pc   firmware.Machine
	log  []byte // of its last boot
}

// stage is what attacks are played on. T is the test of the attack under way.
type stage struct {
	*testing.T
	dir string
	pdp *lab.PDP
	// mine is the victim's machine, which the attacker has root on; others is
	// a second one of the same maker, foreign one of a maker whom nobody trusts.
	mine, others, foreign *machine
	foreignCA             *swtpm.CA
	maker                 *maker
	honest                []string // codes of honest Evidence's findings
}

func newStage(t *testing.T) *stage {
	dir, err := os.MkdirTemp("", "adv-") // sockets' paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{T: t, dir: dir}
	trusted := s.authority("ca")
	s.foreignCA = s.authority("foreign-ca")
	s.mine, s.others, s.foreign = s.machine(trusted, "mine"), s.machine(trusted, "others"), s.machine(s.foreignCA, "foreign")
	s.maker = newMaker(t, dir)
	s.pdp = must(lab.StartPDP(context.Background(), dir, func(c *pdp.Config) {
		if err := lab.Trust(*c, trusted.Root(), trusted.Issuer(), s.maker.file); err != nil {
			t.Fatal(err)
		}
	}))(s)
	t.Cleanup(func() {
		s.T = t
		if err := s.pdp.Stop(); err != nil {
			t.Error(err)
		}
	})
	d := s.enrolled(s.mine)
	s.accepted(d)
	s.references("laptops")
	first := s.accepted(d)
	if first.Result.Vector.Executables != wire.Affirming {
		t.Fatalf("an honest boot is %q: %v", first.Result.Vector.Executables, first.Codes())
	}
	s.honest = first.Codes()
	return s
}

// must fails the test under way on an error.
func must[T any](v T, err error) func(*stage) T {
	return func(s *stage) T {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
		return v
	}
}

func (s *stage) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) authority(name string) *swtpm.CA {
	return must(swtpm.NewCA(filepath.Join(s.dir, name)))(s)
}

func (s *stage) machine(ca *swtpm.CA, name string) *machine {
	m := &machine{name: "LT-" + name, dir: filepath.Join(s.dir, name), pc: firmware.Laptop(name)}
	s.ok(ca.Manufacture(context.Background(), m.dir, "sha256", "sha384"))
	m.soft = must(swtpm.Start(context.Background(), m.dir))(s)
	s.Cleanup(func() { _ = m.soft.Stop() })
	m.chip = must(attacker.OpenChip(m.soft.Socket()))(s)
	s.boot(m)
	return m
}

// boot switches the machine off and on.
func (s *stage) boot(m *machine) {
	s.Helper()
	m.log = must(firmware.PowerOn(context.Background(), m.soft, m.pc, ""))(s)
}

func (s *stage) code(name string) string {
	s.Helper()
	return must(s.pdp.Admin.IssueCode(context.Background(), lab.Agency, client.NewCode{DeviceName: name, LifeSeconds: 3600}))(s).Code
}

// link is a connection by a key.
func (s *stage) link(m *machine, key attacker.Key) *attacker.Link {
	s.Helper()
	return must(attacker.NewLink(s.pdp.Agents, must(m.chip.Signer(key))(s), s.pdp.CA))(s)
}

// enrolment is honest, under the machine's name, before it is changed.
func (s *stage) enrolment(m *machine) attacker.Enrolment {
	s.Helper()
	return attacker.Enrolment{Chip: m.chip, Keys: must(m.chip.NewKeys())(s), Code: s.code(m.name)}
}

// enrol tries an enrolment and returns how it was answered.
func (s *stage) enrol(m *machine, e attacker.Enrolment) attacker.Outcome {
	s.Helper()
	done, answer, err := e.Do(context.Background(), s.link(m, e.Keys.TLS))
	s.ok(err)
	o := attacker.Outcome{Answer: answer}
	o.Accepted = done.DeviceID != ""
	return o
}

// device is an enrolled one.
type device struct {
	*attacker.Device
	id string
}

// enrolled enrols the machine anew: a device that nothing is known of yet.
func (s *stage) enrolled(m *machine) *device {
	s.Helper()
	e := s.enrolment(m)
	l := s.link(m, e.Keys.TLS)
	done, answer, err := e.Do(context.Background(), l)
	s.ok(err)
	if done.DeviceID == "" {
		s.Fatalf("honest enrolment is refused: %d %s", answer.Status, answer.Code)
	}
	return &device{&attacker.Device{Chip: m.chip, Keys: e.Keys, Link: l, Log: m.log}, done.DeviceID}
}

// claims are good ones.
func (s *stage) claims(change ...func(*wire.Claims)) []byte {
	s.Helper()
	return must(attacker.Claims(time.Now(), change...))(s)
}

// attest attests with good claims, but for what change does to the Evidence.
func (s *stage) attest(d *device, change func(*wire.Evidence, wire.NonceAnswer)) attacker.Outcome {
	s.Helper()
	return must(d.Attest(context.Background(), s.claims(), func(e *wire.Evidence, asked wire.NonceAnswer) error {
		if change != nil {
			change(e, asked)
		}
		return nil
	}))(s)
}

// accepted attests honestly and insists on it.
func (s *stage) accepted(d *device) attacker.Outcome {
	s.Helper()
	o := s.attest(d, nil)
	if !o.Accepted {
		s.Fatalf("honest Evidence is refused: %d %v", o.Status, o.Codes())
	}
	return o
}

func (s *stage) nonce(d *device) wire.NonceAnswer {
	s.Helper()
	return must(d.Nonce(context.Background()))(s)
}

func (s *stage) send(d *device, ticket string, e wire.Evidence) attacker.Outcome {
	s.Helper()
	return must(d.Send(context.Background(), ticket, e))(s)
}

// extra is what a quote for these claims and this nonce must carry.
func (s *stage) extra(d *device, e *wire.Evidence, asked wire.NonceAnswer) []byte {
	s.Helper()
	return must(d.Extra(asked, e.Claims))(s)
}

func (m *machine) String() string { return fmt.Sprintf("%s (%s)", m.name, m.dir) }
