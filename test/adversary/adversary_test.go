//go:build linux

// Package adversary attacks a whole PDP through its agents' port, over its real
// listener, with real TPM commands, one forgery at a time. Each attack is true
// in all but one place; the table says which check refuses it and with which
// code, and the codes are compared exactly. docs/adversary.md is that table.
//
// That an attack rests on its check is proven by taking the check out: with
//
//	go test ./test/adversary -run TestEachCheckIsNeeded -prove
//
// each check is replaced by its absence, in a copy of its file that only the
// compiler sees (go help build: -overlay), and the attack's test must then fail.
package adversary

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

// attack is one forgery.
type attack struct {
	name string
	// after names the advisory, or the trap of the field, that it follows.
	after string
	// try presents it and returns what the PDP answered.
	try func(*stage) attacker.Outcome
	// want are the codes of the refusal, or of the findings beyond those of
	// honest Evidence; all of them.
	want []string
	// answer says what becomes of the Evidence.
	answer answer
	check  check
}

// answer is what the PDP does with Evidence beside naming its codes.
type answer int

const (
	// refused: nothing of it is believed, and the device is refused.
	refused answer = iota
	// distrusted: it is genuine, and what started is not to be trusted.
	distrusted
	// told: it is genuine, and what it shows is a finding.
	told
)

func (a answer) String() string {
	return [...]string{"refused", "boot distrusted", "finding"}[a]
}

func answerOf(o attacker.Outcome) answer {
	switch {
	case !o.Accepted:
		return refused
	case o.Result.Vector.Executables == wire.Contraindicated:
		return distrusted
	}
	return told
}

// check is a place in the product that refuses an attack.
type check struct {
	file string
	// code is the check, once in the file, and without what stands there when
	// it is taken out.
	code, without string
	// also is a second replacement: where one does not compile alone, or where a
	// second check answers with the same code.
	also [2]string
}

func attacks() []attack {
	return slices.Concat(enrolments(), nonces(), quotes(), counters(), claims(), logs(), boots(), software(), runTimes(), requests())
}

func TestAdversary(t *testing.T) {
	s := newStage(t)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			s.T = t
			got := a.try(s)
			codes := got.Codes()
			if got.Code == "" {
				codes = beyond(codes, s.honest)
			}
			if answered := answerOf(got); !slices.Equal(slices.Sorted(slices.Values(codes)), slices.Sorted(slices.Values(a.want))) || answered != a.answer {
				t.Errorf("%d, %s, %v; want %s, %v\n%s", got.Status, answered, codes, a.answer, a.want, short(got.Body))
			}
		})
	}
}

// beyond returns what stands in got and not in usual.
func beyond(got, usual []string) []string {
	var rest []string
	left := slices.Clone(usual)
	for _, code := range got {
		if i := slices.Index(left, code); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		rest = append(rest, code)
	}
	return rest
}

func short(body []byte) []byte { return body[:min(len(body), 1500)] }

var write = flag.Bool("write", false, "write docs/adversary.md anew")

const table = "../../docs/adversary.md"

// TestTheTableIsTheDocument holds the published table against the tests.
func TestTheTableIsTheDocument(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# The adversary's table

What test/adversary presents to a whole PDP through its agents' port, with real TPM commands, one forgery at a time, and what refuses it. Written by ` + "`go test ./test/adversary -run TestTheTable -write`" + `; that each attack rests on its check is proven by ` + "`go test ./test/adversary -run TestEachCheckIsNeeded -prove`" + `, which takes the checks out one by one. What the codes mean: internal/reason.

| attack | after | answered with | check |
|---|---|---|---|
`)
	for _, a := range attacks() {
		fmt.Fprintf(&b, "| %s | %s | %s: %s | %s |\n", a.name, a.after, a.answer, strings.Join(slices.Compact(slices.Clone(a.want)), ", "), a.check.file)
	}
	if *write {
		if err := os.WriteFile(table, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, b.Bytes()) {
		t.Error("docs/adversary.md is not this table: go test ./test/adversary -run TestTheTable -write")
	}
}
