package reference_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/eventlog"
)

// publicBoots reads the public logs of true machines that have the SHA-256
// bank, from the module cache.
func publicBoots(t *testing.T) map[string]wire.Boot {
	t.Helper()
	boots := map[string]wire.Boot{}
	for module, folder := range map[string]string{
		"github.com/google/go-tpm-tools": "internal/test/eventlogs", "github.com/google/go-attestation": "attest/testdata",
	} {
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
			if pcrs := replayed(raw); pcrs != nil {
				if boot, _ := eventlog.Read(raw, pcrs); boot.PCRDigest != nil {
					boots[entry.Name()] = boot
				}
			}
		}
	}
	return boots
}

// replayed is what a log leads to, nil if it has no SHA-256 digests.
func replayed(raw []byte) []wire.PCRValue {
	l, err := eventlog.Parse(raw)
	if err != nil {
		return nil
	}
	state := map[int][]byte{}
	for _, p := range wire.QuotedPCRs {
		state[p] = make([]byte, sha256.Size)
	}
	for i := range l.Events {
		e := &l.Events[i]
		if e.Type == eventlog.NoAction {
			if bytes.HasPrefix(e.Data, []byte("StartupLocality\x00")) {
				state[0][31] = e.Data[len(e.Data)-1]
			}
			continue
		}
		digest := e.Digest(eventlog.SHA256)
		if digest == nil {
			return nil
		}
		if before, ok := state[int(e.PCR)]; ok {
			after := sha256.Sum256(append(slices.Clone(before), digest...))
			state[int(e.PCR)] = after[:]
		}
	}
	var pcrs []wire.PCRValue
	for _, p := range wire.QuotedPCRs {
		pcrs = append(pcrs, wire.PCRValue{Index: p, Digest: state[p]})
	}
	return pcrs
}

// twins are two logs of machines that started the very same software.
var twins = []string{"eventlogwithsp800155.bin", "confidential-gke-debug-251000_eventlog.bin"}

// What is learned from a true machine holds for that machine, whatever its
// firmware and boot loader measure, and for no machine that started otherwise.
func TestPublicLogsAreLearned(t *testing.T) {
	boots := publicBoots(t)
	if len(boots) != 16 {
		t.Errorf("%d public logs with SHA-256 are read", len(boots))
	}
	for name, boot := range boots {
		f := learned(t, boot)
		want, findings := wire.Affirming, 0
		if unverified(boot) {
			want, findings = wire.Warning, 1
		}
		if a := f.config.Appraise(boot, f.Set("moda")); a.Executables != want || len(a.Findings) != findings {
			t.Errorf("%s: %q %+v", name, a.Executables, a.Findings)
		}
		for other, boot := range boots {
			a := f.config.Appraise(boot, f.Set("moda"))
			same := bytes.Equal(boot.LogDigest, boots[name].LogDigest) // one log lies in both modules
			if !same && a.Executables == wire.Affirming && !(slices.Contains(twins, name) && slices.Contains(twins, other)) {
				t.Errorf("what %s teaches holds for %s", name, other)
			}
		}
	}
}

// unverified reports whether a boot loader read files that no key verified: a
// kernel cannot be told from what was made on the machine.
func unverified(boot wire.Boot) bool {
	return boot.SecureBoot == wire.SecureBootOff &&
		slices.ContainsFunc(boot.Measurements, func(m wire.Measurement) bool { return m.Kind == wire.MeasuredFile })
}

func learned(t *testing.T, boot wire.Boot) *fixture {
	t.Helper()
	f := open(t)
	f.enrol(t, "LT-1", "pilot", boot)
	if _, err := f.Learn(t.Context(), "moda", wire.LearnRequest{ID: "pilot", Group: "pilot"}, root); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Approve(t.Context(), "moda", "pilot", false, root); err != nil {
		t.Fatal(err)
	}
	return f
}

// One thing of a true machine's start is changed at a time.
func TestPublicLogsWithOneChange(t *testing.T) {
	boot := publicBoots(t)["rhel8-uefi.bin"]
	f := learned(t, boot)
	for name, c := range map[string]struct {
		kind wire.MeasurementKind
		want wire.FindingType
		tier wire.Trustworthiness
	}{
		"firmware":     {wire.MeasuredFirmware, wire.FindingTampered, wire.Contraindicated},
		"boot loader":  {wire.MeasuredBootApplication, wire.FindingUnknownUpdate, wire.Warning},
		"command line": {wire.MeasuredCommandLine, wire.FindingTampered, wire.Contraindicated},
		"db":           {wire.MeasuredDB, wire.FindingTampered, wire.Contraindicated},
		"verified by":  {wire.MeasuredAuthority, wire.FindingTampered, wire.Contraindicated},
		"MOK":          {wire.MeasuredMOK, wire.FindingTampered, wire.Contraindicated},
		"commands":     {wire.MeasuredLoaderCommand, "", wire.Affirming},
		"settings":     {wire.MeasuredSetting, "", wire.Affirming},
	} {
		changed := boot
		changed.Measurements = slices.Clone(boot.Measurements)
		i := slices.IndexFunc(changed.Measurements, func(m wire.Measurement) bool { return m.Kind == c.kind })
		if i < 0 {
			t.Errorf("%s: the log has none", name)
			continue
		}
		m := &changed.Measurements[i]
		m.Digest, m.Members, m.Detail = digest("other"), [][]byte{digest("other member")}, m.Detail+" init=/bin/sh"
		a := f.config.Appraise(changed, f.Set("moda"))
		var types []wire.FindingType
		for _, found := range a.Findings {
			types = append(types, found.Type)
		}
		if a.Executables != c.tier || c.want != "" && !slices.Equal(types, []wire.FindingType{c.want}) || c.want == "" && len(types) > 0 {
			t.Errorf("%s: %q %+v", name, a.Executables, a.Findings)
		}
	}
}
