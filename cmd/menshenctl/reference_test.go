package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func newKeeper(t *testing.T, s store.Store, names *directory.Directory) *reference.Keeper {
	t.Helper()
	_, approval, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	policy := verifier.DefaultBootPolicy()
	k, err := reference.New(t.Context(), reference.Config{
		Store: s, Devices: names, Approval: approval, Approvers: 1, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
		Appraise: func(b wire.Boot, set *wire.ReferenceSet) wire.BootAppraisal {
			return verifier.AppraiseBoot(b, set, policy)
		},
		Wants: func(pcr int, kind wire.MeasurementKind) bool {
			return policy.Wants(verifier.BootPlace{PCR: pcr, Kind: kind})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// booted is what LT-1 started.
func (c *console) booted(loader string) {
	c.t.Helper()
	boot := wire.Boot{SecureBoot: wire.SecureBootOn}
	for _, m := range []wire.Measurement{
		{PCR: 0, Kind: wire.MeasuredFirmware, Detail: "firmware 1"}, {PCR: 7, Kind: wire.MeasuredSecureBoot, Detail: "on"},
		{PCR: 7, Kind: wire.MeasuredPK, Detail: "pk"}, {PCR: 7, Kind: wire.MeasuredKEK, Detail: "kek"}, {PCR: 7, Kind: wire.MeasuredDB, Detail: "db"},
		{PCR: 7, Kind: wire.MeasuredDBX, Detail: "dbx"}, {PCR: 7, Kind: wire.MeasuredAuthority, Detail: "maker"},
		{PCR: 4, Kind: wire.MeasuredBootApplication, Detail: loader},
	} {
		digest := sha256.Sum256([]byte(m.Detail))
		m.Name, m.Digest = "#1", digest[:]
		boot.Measurements = append(boot.Measurements, m)
	}
	digest := sha256.Sum256([]byte(loader))
	boot.LogDigest, boot.PCRDigest = digest[:], digest[:]
	if err := c.keeper.Saw(c.t.Context(), wire.Device{ID: "dev-00000000000000000000000004", Agency: "nstc"}, boot); err != nil {
		c.t.Fatal(err)
	}
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keys makes a signer's key files.
func keys(t *testing.T) (private, public string) {
	t.Helper()
	p, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(p)
	if err != nil {
		t.Fatal(err)
	}
	private = write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return private, write(t, "public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

func TestAnUpdateIsLearnedApprovedAndExplained(t *testing.T) {
	c := newConsole(t)
	here := func(args ...string) string {
		t.Helper()
		out, _ := c.run(0, append(args, "--agency", "nstc")...)
		return out
	}
	here("device", "approve", "LT-1")
	c.booted("grub 1")
	holds(t, here("reference", "learn", "laptops", "--device", "LT-1", "--note", "first"), "laptops@1 (draft) against nothing", "ZT-CFG-051", "+ PCR 4 boot application #1: – → ", "(grub 1) on 1 machine, since 2026-11-22")
	holds(t, here("reference", "approve", "laptops"), "laptops@1: current")
	holds(t, here("device", "boot", "LT-1"), "✔ as approved")

	c.booted("grub 2")
	boot := here("device", "boot", "LT-1")
	holds(t, boot, "⚠ warning", "ZT-DEV-127", "unknown, but signed by a trusted key", "(grub 1)", "(grub 2)", "1, 2026-11-22")
	holds(t, here("reference", "fleet"), "⚠ warned", "⚠ LT-1", "ZT-DEV-127")
	holds(t, here("reference", "learn", "laptops", "--device", "LT-1"), "laptops@2 (draft) against laptops@1", "~ PCR 4 boot application #1: ", "(grub 1) on no machine → ", "(grub 2) on 1 machine, since 2026-11-22")
	holds(t, here("reference", "fleet", "laptops@2"), "✖ failing      0")
	holds(t, here("reference", "approve", "laptops@2", "--next"), "laptops@2: next")
	holds(t, here("reference", "diff", "laptops@2"), "laptops@2 (next) against laptops@1")
	holds(t, here("reference", "activate", "laptops"), "laptops@2: current")
	holds(t, here("reference", "list"), "laptops@1  superseded  menshen-pdp", "laptops@2  current")
	c.booted("grub 1")
	holds(t, here("device", "boot", "LT-1"), "✖ not to be trusted", "ZT-DEV-125", "rolled back")
	holds(t, here("reference", "retire", "laptops@1"), "laptops@1: retired")
	holds(t, here("reference", "show", "laptops@2"), "LT-1", "2026", "boot application", "grub 2", "uid:0")
	holds(t, here("reference", "diff", "laptops@2"), "against nothing")

	c.lang = "zh_TW.UTF-8"
	holds(t, here("reference", "list"), "套組", "現行", "已停用")
	holds(t, here("device", "boot", "LT-1"), "開機程式", "安全開機", "未知，但由受信任的金鑰簽署")
	holds(t, here("reference", "fleet"), "尚無紀錄", "警告")
	holds(t, here("reference", "show", "laptops@2"), "學習對象", "韌體")
	for _, args := range [][]string{
		{"reference", "list"}, {"reference", "show", "laptops"}, {"reference", "diff", "laptops"}, {"reference", "fleet"}, {"device", "boot", "LT-1"}, {"reference", "signer", "list"},
	} {
		if out := here(append(args, "--json")...); !json.Valid([]byte(out)) || strings.HasPrefix(out, "null") {
			t.Errorf("%v: %s", args, out)
		}
	}
}

func TestAMakersBundle(t *testing.T) {
	c := newConsole(t)
	private, public := keys(t)
	digest := wire.HexDigest(sha256.Sum256([]byte("firmware 1")))
	bundle := `{"schema": 1, "issuer": "maker", "agency": "*", "id": "laptop", "version": 7, "created": "2026-11-22T00:00:00Z",
		"entries": [{"pcr": 0, "kind": "firmware", "name": "#1", "digest": "` + digest.String() + `"}]}`
	out, _ := c.run(0, "reference", "sign", write(t, "bundle.json", []byte(bundle)), "--key", private)
	signed := write(t, "signed.json", []byte(out))
	_, told := c.run(exitRefused, "reference", "import", signed, "--agency", "nstc")
	holds(t, told, reason.RefSignature)
	out, _ = c.run(0, "reference", "signer", "add", public, "--issuer", "maker", "--agency", "nstc")
	key, _, _ := strings.Cut(out, " ")
	out, _ = c.run(0, "reference", "signer", "list", "--agency", "nstc")
	holds(t, out, "maker", key)
	out, _ = c.run(0, "reference", "import", signed, "--agency", "nstc")
	holds(t, out, "laptop@7: draft")
	out, _ = c.run(0, "reference", "signer", "remove", key, "--agency", "nstc")
	holds(t, out, "removed")

	_, told = c.run(exitRefused, "reference", "import", write(t, "x.json", []byte(bundle)), "--agency", "nstc")
	holds(t, told, reason.RefMalformed)
	_, told = c.run(exitRefused, "reference", "sign", write(t, "y.json", []byte(`{"schema": 2}`)), "--key", private)
	holds(t, told, reason.RefMalformed)
	for _, args := range [][]string{
		{"reference", "sign", signed, "--key", public}, {"reference", "signer", "add", private, "--issuer", "maker", "--agency", "nstc"},
		{"reference", "import", "/nowhere", "--agency", "nstc"}, {"reference", "learn", "--agency", "nstc"}, {"reference", "list"}, {"reference"},
	} {
		c.run(exitUsage, args...)
	}
}
