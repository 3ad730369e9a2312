package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExpectedDevices(t *testing.T) {
	c := newConsole(t)
	list := written(t, "autumn.csv", "ek_sha256,device_name\naa,LT-1\nbb,LT-2\n")
	out, _ := c.run(0, "expected", "import", list, "--agency", "nstc")
	holds(t, out, "autumn", "2", "1", listID)
	out, _ = c.run(0, "expected", "import", list, "--agency", "nstc", "--name", "delivery 7")
	holds(t, out, "delivery 7")
	out, _ = c.run(0, "expected", "list", "--agency", "nstc", "--lang", "zh-TW")
	holds(t, out, "delivery", "40", "17", listID, "已註冊")
	out, _ = c.run(0, "expected", "show", listID, "--agency", "nstc")
	holds(t, out, "LT-9", "pilot", "dev-9", "abcd")
	out, _ = c.run(0, "expected", "remove", listID, "--agency", "nstc")
	holds(t, out, "Removed")
	c.run(exitRefused, "expected", "remove", "exp-x", "--agency", "nstc")
	c.run(exitUsage, "expected", "import", filepath.Join(t.TempDir(), "none.csv"), "--agency", "nstc")
	c.run(exitUsage, "expected", "import", written(t, "large.csv", strings.Repeat("x", maxListFile+1)), "--agency", "nstc")
	c.run(exitUsage, "expected", "list")
}

func TestManyCodes(t *testing.T) {
	c := newConsole(t)
	names := written(t, "names.csv", "device_name\nLT-7\nLT-8\n")
	out, _ := c.run(0, "device", "codes", "--csv", names, "--agency", "nstc")
	if lines := strings.Split(out, "\n"); len(lines) != 4 || lines[0] != "device_name,code,expires" || !strings.HasPrefix(lines[2], "LT-8,menshen1.eight,2") {
		t.Errorf("%q", out)
	}
	c.run(exitRefused, "device", "codes", "--csv", written(t, "bad.csv", "x"), "--agency", "nstc")
	c.run(exitUsage, "device", "codes", "--agency", "nstc")
	out, _ = c.run(0, "device", "code", "LT-1", "--agency", "nstc", "--replace")
	holds(t, out, "menshen1.replacement")
}

// Who approves sees the TPM, and can have it compared.
func TestApprovalShowsTheTPM(t *testing.T) {
	c := newConsole(t)
	d, err := c.dir.Device(t.Context(), deviceID)
	if err != nil {
		t.Fatal(err)
	}
	ek := hex.EncodeToString(d.EKDigest)
	_, complaint := c.run(exitRefused, "device", "approve", deviceID, "--ek", strings.Repeat("0", 64))
	holds(t, complaint, reason.CfgOtherEK, ek)
	if d, _ = c.dir.Device(t.Context(), deviceID); d.Status != "pending" {
		t.Errorf("the device is %s", d.Status)
	}
	out, _ := c.run(0, "device", "approve", deviceID, "--ek", strings.ToUpper(ek))
	holds(t, out, "active", ek)
}
