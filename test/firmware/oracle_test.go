package firmware_test

import (
	"crypto"
	"testing"

	"github.com/google/go-attestation/attest"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/eventlog"
	"github.com/menshen-zt/menshen/test/firmware"
)

// quoted are the PCRs that a quote after this boot covers.
func quoted(events []firmware.Event, locality byte) []wire.PCRValue {
	replayed := firmware.Replay(events, crypto.SHA256, locality)
	var all []wire.PCRValue
	for _, pcr := range wire.QuotedPCRs {
		all = append(all, wire.PCRValue{Index: pcr, Digest: replayed[pcr]})
	}
	return all
}

// TestBothReadersReadItSo holds the logs against two parsers that know nothing
// of this package: Menshen's own and go-attestation's.
func TestBothReadersReadItSo(t *testing.T) {
	three := byte(3)
	for name, c := range map[string]struct {
		change func(*firmware.Machine)
		want   wire.SecureBootState
	}{
		"laptop":      {func(*firmware.Machine) {}, wire.SecureBootOn},
		"off":         {func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootOff }, wire.SecureBootOff},
		"empty":       {func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootEmpty }, wire.SecureBootOff},
		"updated":     {func(m *firmware.Machine) { *m = m.UpdateKernel("6.12.49-amd64", "linux 6.12.49-1") }, wire.SecureBootOn},
		"own kernel":  {func(m *firmware.Machine) { m.Kernel.Signer, m.MOK = "Own", []string{"Own"} }, wire.SecureBootOn},
		"locality 3":  {func(m *firmware.Machine) { m.StartupLocality = &three }, wire.SecureBootOn},
		"bare kernel": {func(m *firmware.Machine) { m.NoKernelImage = true }, wire.SecureBootOn},
		"no DBX":      {func(m *firmware.Machine) { m.DBX = nil }, wire.SecureBootOn},
	} {
		t.Run(name, func(t *testing.T) {
			m := firmware.Laptop("lt-1")
			c.change(&m)
			events := build(t, m)
			locality := byte(0)
			if m.StartupLocality != nil {
				locality = *m.StartupLocality
			}
			raw := firmware.Marshal(events, crypto.SHA1, crypto.SHA256)
			boot, problems := eventlog.Read(raw, quoted(events, locality))
			if len(problems) > 0 || boot.SecureBoot != c.want {
				t.Errorf("Secure Boot %q, problems %+v", boot.SecureBoot, problems)
			}
			for _, found := range boot.Measurements {
				if found.Kind == wire.MeasuredUnknown {
					t.Errorf("not known: %+v", found)
				}
			}
			if m.SecureBoot == firmware.SecureBootEmpty {
				return // go-attestation refuses such logs (docs/divergences.md)
			}
			parsed, err := attest.ParseEventLog(raw)
			if err != nil {
				t.Fatal(err)
			}
			var pcrs []attest.PCR
			for _, v := range quoted(events, locality) {
				pcrs = append(pcrs, attest.PCR{Index: v.Index, Digest: v.Digest, DigestAlg: crypto.SHA256})
			}
			verified, err := parsed.Verify(pcrs)
			if err != nil {
				t.Fatal(err)
			}
			state, err := attest.ParseSecurebootState(verified)
			if err != nil || state.Enabled != (c.want == wire.SecureBootOn) {
				t.Errorf("go-attestation: %+v, %v", state, err)
			}
		})
	}
}
