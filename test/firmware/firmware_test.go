package firmware_test

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/test/firmware"
)

func chip(t *testing.T, banks ...string) *swtpm.TPM {
	t.Helper()
	ca, err := swtpm.NewCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tpm")
	if err := ca.Manufacture(t.Context(), dir, banks...); err != nil {
		t.Fatal(err)
	}
	c, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

func build(t *testing.T, m firmware.Machine) []firmware.Event {
	t.Helper()
	events, err := firmware.Build(m)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestTheTPMHoldsWhatTheLogReplaysTo(t *testing.T) {
	c := chip(t, "sha1", "sha256", "sha384")
	machine := firmware.Laptop("lt-1")
	file := filepath.Join(t.TempDir(), "log")
	log, err := firmware.PowerOn(t.Context(), c, machine, file)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(file); err != nil || !bytes.Equal(kept, log) {
		t.Error("the file holds another log:", err)
	}
	events := build(t, machine)
	if !bytes.Equal(log, firmware.Marshal(events, crypto.SHA1, crypto.SHA256, crypto.SHA384)) {
		t.Error("the log is not that of the three banks")
	}
	files := []firmware.File{{Path: "/usr/bin/true", Content: "true"}, {Path: "/usr/bin/false", Content: "false"}}
	err = firmware.At(c, func(tpm transport.TPM) error {
		if _, err := firmware.Boot(tpm, machine); err == nil {
			t.Error("a TPM that is on was booted on again")
		}
		var aggregate []byte
		for _, bank := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384} {
			replayed := firmware.Replay(events, bank, 0)
			for pcr := range 16 {
				values, err := firmware.Read(tpm, bank, pcr)
				if err != nil {
					return err
				}
				if !bytes.Equal(values[0], replayed[pcr]) {
					t.Errorf("bank %v, PCR %d: the TPM holds %x, the log replays to %x", bank, pcr, values[0], replayed[pcr])
				}
			}
			if bank == crypto.SHA256 {
				aggregate = slices.Concat(replayed[:10]...)
			}
		}
		list, err := firmware.IMA(tpm, files...)
		if err != nil {
			return err
		}
		sum := crypto.SHA256.New()
		sum.Write(aggregate)
		entries := append([]firmware.IMAEntry{{Path: "boot_aggregate", Digest: sum.Sum(nil)}}, firmware.IMAEntries(files...)...)
		var want []byte
		for _, e := range entries {
			want = append(want, e.Marshal()...)
		}
		if !bytes.Equal(list, want) {
			t.Error("the IMA list is not that of these files")
		}
		violation := firmware.IMAEntry{Path: "/etc/open", Violation: true}
		if _, err := firmware.MeasureIMA(tpm, violation); err != nil {
			return err
		}
		for _, bank := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			values, err := firmware.Read(tpm, bank, 10)
			if err != nil {
				return err
			}
			if !bytes.Equal(values[0], firmware.ReplayIMA(bank, append(entries, violation)...)) {
				t.Errorf("bank %v: PCR 10 is not what the IMA list replays to", bank)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneDescriptionOneLog(t *testing.T) {
	first := firmware.Marshal(build(t, firmware.Laptop("lt-1")), crypto.SHA256)
	if !bytes.Equal(first, firmware.Marshal(build(t, firmware.Laptop("lt-1")), crypto.SHA256)) {
		t.Error("the same machine wrote two logs")
	}
	for name, change := range map[string]func(*firmware.Machine){
		"name":          func(m *firmware.Machine) { m.Name = "lt-2" },
		"firmware":      func(m *firmware.Machine) { m.FirmwareVersion = "1.20.5" },
		"settings":      func(m *firmware.Machine) { m.Setup = "virtualisation=off" },
		"option ROM":    func(m *firmware.Machine) { m.OptionROMs = nil },
		"Secure Boot":   func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootOff },
		"empty":         func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootEmpty },
		"db":            func(m *firmware.Machine) { m.DB = append(m.DB, "Mallory") },
		"dbx":           func(m *firmware.Machine) { m.DBX = append(m.DBX, "shim 15.7") },
		"shim":          func(m *firmware.Machine) { m.Shim.Content = "shim 15.9" },
		"MOK":           func(m *firmware.Machine) { m.MOK = append(m.MOK, "Mallory") },
		"SBAT":          func(m *firmware.Machine) { m.SBAT = "sbat,1,2025010100\n" },
		"command line":  func(m *firmware.Machine) { m.CommandLine += " lockdown=none" },
		"kernel":        func(m *firmware.Machine) { *m = m.UpdateKernel("6.12.49-amd64", "linux 6.12.49-1") },
		"kernel, plain": func(m *firmware.Machine) { m.NoKernelImage = true },
		"initrd":        func(m *firmware.Machine) { m.Initrd.Content += " with more" },
		"locality":      func(m *firmware.Machine) { m.StartupLocality = new(byte) },
	} {
		m := firmware.Laptop("lt-1")
		change(&m)
		if bytes.Equal(first, firmware.Marshal(build(t, m), crypto.SHA256)) {
			t.Errorf("%s: the log does not show it", name)
		}
	}
	if m := firmware.Laptop("lt-1"); m.UpdateKernel("6", "k").Files[0] == m.Files[0] {
		t.Error("an update left the boot menu as it was")
	}
}

// What Secure Boot would not have let start cannot be described by accident.
func TestSecureBootRefuses(t *testing.T) {
	for name, change := range map[string]func(*firmware.Machine){
		"shim":       func(m *firmware.Machine) { m.Shim.Signer = "Mallory" },
		"option ROM": func(m *firmware.Machine) { m.OptionROMs[0].Signer = "Mallory" },
		"loader":     func(m *firmware.Machine) { m.Loader.Signer = "Mallory" },
		"kernel":     func(m *firmware.Machine) { m.Kernel.Signer = "Mallory" },
		"variable":   func(m *firmware.Machine) { m.SecureBoot = 7 },
	} {
		m := firmware.Laptop("lt-1")
		change(&m)
		if _, err := firmware.Build(m); err == nil {
			t.Errorf("%s: it booted", name)
		}
	}
	m := firmware.Laptop("lt-1")
	m.Kernel.Signer, m.MOK = "Own", []string{"Own"}
	build(t, m)
	m.Loader.Signer, m.SecureBoot = "Mallory", firmware.SecureBootOff
	build(t, m)
	locality := byte(3)
	m.StartupLocality = &locality
	if err := firmware.At(chip(t), func(tpm transport.TPM) error { _, err := firmware.Boot(tpm, m); return err }); err == nil {
		t.Error("a software TPM started at locality 3")
	}
}
