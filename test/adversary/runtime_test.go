//go:build linux

package adversary

import (
	"bytes"
	"crypto/sha256"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
)

const runtimeFile = "pdp/verifier/runtime.go"

// programs are what Linux measured as the machine ran.
func programs() []firmware.File {
	return []firmware.File{{Path: "/usr/bin/bash", Content: "bash"}, {Path: "/usr/bin/menshen-agent", Content: "agent"}, {Path: "/tmp/miner", Content: "miner"}}
}

// running has the machine measure as Linux does, and attests with the list once
// it was seen that the true one adds no finding; change is what the attacker
// sends instead. The machine boots anew when the attack is over.
func running(change func(list []byte) []byte) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		s.Cleanup(func() { s.boot(s.mine) })
		s.boot(s.mine)
		d := s.enrolled(s.mine)
		list := must(firmware.IMA(s.mine.chip.TPM, programs()...))(s)
		send := func(log []byte) attacker.Outcome {
			return s.attest(d, func(e *wire.Evidence, _ wire.NonceAnswer) {
				if log != nil {
					e.IMA = &wire.IMAPiece{Log: log}
				}
			})
		}
		if o := send(list); !o.Accepted || len(beyond(o.Codes(), s.honest)) > 0 {
			s.Fatalf("the control: %v", o.Codes())
		}
		d = s.enrolled(s.mine) // nothing is known of the list
		return send(change(list))
	}
}

// entries are the list of programs, behind the boot_aggregate that a list begins
// with.
func entries(list []byte) [][]byte {
	var all [][]byte
	rest := list
	for _, e := range firmware.IMAEntries(programs()...) {
		before, after, _ := bytes.Cut(rest, e.Marshal())
		if len(before) > 0 {
			all = append(all, before)
		}
		all, rest = append(all, e.Marshal()), after
	}
	return all
}

func runTimes() []attack {
	explained := check{file: runtimeFile, code: "again.Problem = reason.IMAUnexplained\n\tk.IMA = again\n\treturn nil, false", without: "_ = again\n\treturn nil, false"}
	return []attack{
		{
			name: "a program left out of the run-time list", after: "Linux IMA: a list is only a file",
			try: running(func(list []byte) []byte {
				all := entries(list)
				return bytes.Join(all[:len(all)-1], nil)
			}), want: []string{reason.IMAUnexplained}, answer: told, check: explained,
		},
		{
			name: "another program in the run-time list", after: "Linux IMA: a list is only a file",
			try: running(func(list []byte) []byte {
				all := entries(list)
				sum := sha256.Sum256([]byte("harmless"))
				all[len(all)-1] = firmware.IMAEntry{Path: "/usr/bin/harmless", Digest: sum[:]}.Marshal()
				return bytes.Join(all, nil)
			}), want: []string{reason.IMAUnexplained}, answer: told, check: explained,
		},
		{
			name: "another path under a true digest", after: "data that the digest does not cover",
			try:  running(func(list []byte) []byte { return bytes.Replace(list, []byte("/tmp/miner"), []byte("/bin/false"), 1) }),
			want: []string{reason.IMAMalformed}, answer: told,
			check: check{file: "pdp/verifier/ima/ima.go", code: "!e.Violation() && !bytes.Equal(e.Digest, sum[:]) {", without: "false && !bytes.Equal(e.Digest, sum[:]) {"},
		},
		{
			name: "no run-time list for a register that moved", after: "invariant 6: absence never raises trust",
			try:  running(func([]byte) []byte { return nil }),
			want: []string{reason.IMAUnexplained}, answer: told,
			check: check{file: runtimeFile, code: "if [sha256.Size]byte(state.PCR) != quoted {", without: "if false && [sha256.Size]byte(state.PCR) != quoted {"},
		},
		{
			name: "run-time list of another boot", after: "a list that nothing ties to the boot",
			try: func(s *stage) attacker.Outcome {
				s.Cleanup(func() { s.boot(s.mine) })
				s.boot(s.mine)
				d := s.enrolled(s.mine)
				sum := sha256.Sum256([]byte("another boot"))
				list := must(firmware.MeasureIMA(s.mine.chip.TPM, firmware.IMAEntry{Path: "boot_aggregate", Digest: sum[:]}))(s)
				return s.attest(d, func(e *wire.Evidence, _ wire.NonceAnswer) { e.IMA = &wire.IMAPiece{Log: list} })
			}, want: []string{reason.IMAAggregate}, answer: told,
			check: check{file: runtimeFile, code: "\treturn wire.AggregateDiffers\n", without: "\treturn wire.AggregateMatches\n"},
		},
		{
			name: "piece that begins before the list", after: "a bound on every length",
			try:  changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) { e.IMA = &wire.IMAPiece{From: -1} }),
			want: []string{reason.EvidenceMalformed}, check: check{file: proofFile, code: "|| e.IMA.From < 0)", without: ")"},
		},
	}
}
