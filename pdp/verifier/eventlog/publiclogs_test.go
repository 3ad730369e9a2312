package eventlog

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-attestation/attest"
	_ "github.com/google/go-tpm-tools/proto/tpm" // the smallest package of the module whose logs are read

	"github.com/menshen-zt/menshen/internal/wire"
)

// sha1Bank reads legacy logs in tests alone: the product quotes SHA-256.
func sha1Bank() bank { return newBank(SHA1, sha1.New()) }

// sample is one log with the PCRs that it is read against.
type sample struct {
	name string
	raw  []byte
	bank bank
	pcrs []wire.PCRValue
	// dump is set where the log came with its quote.
	dump *dump
}

// dump is the one file that holds a log with its quote.
type dump struct {
	AK    struct{ Public []byte }
	Quote struct{ Nonce, Quote, Signature []byte }
	Log   struct {
		PCRs []attest.PCR
		Raw  []byte
	}
}

// moduleFolders are the test data of two Apache-2.0 modules, as the module
// cache holds them.
var moduleFolders = map[string]string{
	"github.com/google/go-tpm-tools":   "internal/test/eventlogs",
	"github.com/google/go-attestation": "attest/testdata",
}

// publicLogs returns every public log.
func publicLogs(t testing.TB) []sample {
	t.Helper()
	var all []sample
	for module, folder := range moduleFolders {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatalf("where is %s: %v", module, err)
		}
		dir := filepath.Join(strings.TrimSpace(string(out)), folder)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, publicLog(t, entry.Name(), raw))
		}
	}
	if len(all) != 22 {
		t.Fatalf("%d public logs, not 22", len(all))
	}
	return all
}

// publicLog takes the quoted PCRs that came with a log, or else what the log
// itself leads to: no other log came with a quote.
func publicLog(t testing.TB, name string, raw []byte) sample {
	t.Helper()
	if filepath.Ext(name) != ".json" {
		return newSample(t, name, raw)
	}
	var d dump
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	s := newSample(t, name, d.Log.Raw)
	for i := range s.pcrs {
		for _, p := range d.Log.PCRs {
			if p.Index == s.pcrs[i].Index && p.DigestAlg == crypto.SHA1 {
				s.pcrs[i].Digest = p.Digest
			}
		}
	}
	s.dump = &d
	return s
}

func newSample(t testing.TB, name string, raw []byte) sample {
	t.Helper()
	l, err := Parse(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !bytes.Equal(l.Marshal(), raw) {
		t.Errorf("%s marshals to something else", name)
	}
	s := sample{name: name, raw: raw, bank: sha256Bank()}
	if !s.bank.in(l) {
		s.bank = sha1Bank()
	}
	start, problems := startup(l.Events)
	if len(problems) > 0 {
		t.Fatalf("%s: %+v", name, problems)
	}
	s.pcrs = quoted(l, s.bank, start)
	return s
}
