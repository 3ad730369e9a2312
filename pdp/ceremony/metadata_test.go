package ceremony

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/menshen-zt/menshen/internal/reason"
)

// A model that the metadata does not prove to be certified hardware reaches no
// AAL3, although its attestation chains well.
func TestModelsThatTheMetadataDoesNotSupport(t *testing.T) {
	statement := func(entry map[string]any) map[string]any { return entry["metadataStatement"].(map[string]any) }
	status := func(reports ...map[string]any) func(map[string]any) {
		return func(entry map[string]any) { entry["statusReports"] = reports }
	}
	report := func(name, date string) map[string]any { return map[string]any{"status": name, "effectiveDate": date} }
	for name, tt := range map[string]struct {
		change func(entry map[string]any)
		want   string // empty: accepted
	}{
		"secure element alone":   {func(e map[string]any) { statement(e)["keyProtection"] = []string{"secure_element"} }, ""},
		"level 2":                {status(report("FIDO_CERTIFIED_L2", "2024-01-01")), ""},
		"update available":       {status(report("FIDO_CERTIFIED_L1", "2024-01-01"), report("UPDATE_AVAILABLE", "2025-01-01")), ""},
		"revocation in future":   {status(report("FIDO_CERTIFIED_L1", "2024-01-01"), report("REVOKED", "2098-01-01")), ""},
		"software":               {func(e map[string]any) { statement(e)["keyProtection"] = []string{"software"} }, reason.KeyModelNotHardware},
		"software and hardware":  {func(e map[string]any) { statement(e)["keyProtection"] = []string{"hardware", "software"} }, reason.KeyModelNotHardware},
		"trusted environment":    {func(e map[string]any) { statement(e)["keyProtection"] = []string{"tee"} }, reason.KeyModelNotHardware},
		"no word on protection":  {func(e map[string]any) { delete(statement(e), "keyProtection") }, reason.KeyModelNotHardware},
		"not certified":          {status(report("NOT_FIDO_CERTIFIED", "2024-01-01")), reason.KeyNotCertified},
		"self-asserted":          {status(report("SELF_ASSERTION_SUBMITTED", "2024-01-01")), reason.KeyNotCertified},
		"no status":              {status(), reason.KeyNotCertified},
		"certification later":    {status(report("FIDO_CERTIFIED_L1", "2098-01-01")), reason.KeyNotCertified},
		"certification lost":     {status(report("FIDO_CERTIFIED_L1", "2024-01-01"), report("NOT_FIDO_CERTIFIED", "2025-01-01")), reason.KeyNotCertified},
		"revoked":                {status(report("FIDO_CERTIFIED_L1", "2024-01-01"), report("REVOKED", "2025-01-01")), reason.KeyModelCompromised},
		"attestation key leaked": {status(report("ATTESTATION_KEY_COMPROMISE", "2025-01-01"), report("FIDO_CERTIFIED_L1", "2025-02-01")), reason.KeyModelCompromised},
		"PIN can be bypassed":    {status(report("FIDO_CERTIFIED_L1", "2024-01-01"), report("USER_VERIFICATION_BYPASS", "2025-01-01")), reason.KeyModelCompromised},
		"another trust anchor": {func(e map[string]any) {
			statement(e)["attestationRootCertificates"] = []string{base64.StdEncoding.EncodeToString(newMaker(t).root.Raw)}
		}, reason.KeyAttestationUntrusted},
		"another statement's AAGUID": {func(e map[string]any) { statement(e)["aaguid"] = uuid.NewString() }, reason.KeyAttestationUntrusted},
		"surrogate only": {func(e map[string]any) {
			statement(e)["attestationTypes"] = []string{"basic_surrogate"}
		}, reason.KeyAttestationUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaker(t)
			entry := m.entry()
			tt.change(entry)
			h := newHouse(t, withMetadata(t, newBlob(t, entry)))
			_, status, code := h.registerKey(h.person, m.newKey(t), nil)
			if code != tt.want || (tt.want == "") != (status == http.StatusOK) {
				t.Errorf("%d %q, want %q", status, code, tt.want)
			}
		})
	}
}

func withMetadata(t *testing.T, b *blob) func(*Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "own.jwt")
	if err := os.WriteFile(file, b.sign(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.MDSFile, c.MDSRoot = file, b.root }
}

func TestOnlyModelsOnTheListWhereThereIsOne(t *testing.T) {
	m := newMaker(t)
	mds := newBlob(t, m.entry())
	other := uuid.NewString()
	h := newHouse(t, withMetadata(t, mds), func(c *Config) { c.PermitAAGUIDs = []string{other} })
	if _, status, code := h.registerKey(h.person, m.newKey(t), nil); code != reason.KeyModelNotPermitted {
		t.Errorf("%d %s", status, code)
	}
	h.config.PermitAAGUIDs = append(h.config.PermitAAGUIDs, strings.ToUpper(m.aaguid.String()))
	h.restart()
	if _, status, code := h.registerKey(h.person, m.newKey(t), nil); status != http.StatusOK {
		t.Errorf("%d %s", status, code)
	}
}

func TestWithoutMetadataNoHardwareKeyIsRegistered(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MDSFile, c.MDSRoot, c.PermitTestAuthenticators = "", nil, true })
	if _, status, code := h.registerKey(h.person, h.maker.newKey(t), nil); code != reason.KeyMetadataMissing {
		t.Errorf("%d %s", status, code)
	}
}

func TestAModelThatFallsLosesItsSignIns(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	entry := h.maker.entry()
	entry["statusReports"] = []map[string]any{{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2024-01-01"}, {"status": "REVOKED", "effectiveDate": "2025-01-01"}}
	withMetadata(t, newBlob(t, entry))(&h.config)
	h.restart()
	b := h.browser()
	s := b.start(h.handle(nil))
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); code != reason.KeyModelCompromised {
		t.Errorf("%d %s", status, code)
	}
}

func TestMetadataThatIsNotProvenStopsTheStart(t *testing.T) {
	m := newMaker(t)
	for name, tt := range map[string]struct {
		change  func(*blob)
		corrupt func([]byte) []byte
		root    func(*blob) *x509.Certificate
	}{
		"another root":           {root: func(*blob) *x509.Certificate { return m.root }},
		"signer of another name": {change: func(b *blob) { b.name = "mds.evil.example" }},
		"changed payload": {corrupt: func(raw []byte) []byte {
			parts := bytes.Split(raw, []byte("."))
			payload, _ := base64.RawURLEncoding.DecodeString(string(parts[1]))
			parts[1] = []byte(encode(bytes.Replace(payload, []byte(`"no":1`), []byte(`"no":2`), 1)))
			return bytes.Join(parts, []byte("."))
		}},
		"no signature":             {change: func(b *blob) { b.header["alg"] = "none" }, corrupt: func(raw []byte) []byte { return raw[:bytes.LastIndexByte(raw, '.')+1] }},
		"algorithm of another key": {change: func(b *blob) { b.header["alg"] = "RS256" }},
		"no chain":                 {change: func(b *blob) { b.chain = [][]byte{} }},
		"self-signed signer": {change: func(b *blob) {
			template := authority(blobSigner)
			template.DNSNames = []string{blobSigner}
			der, _ := certificate(t, template, template, b.signer.Public(), b.signer)
			b.chain = [][]byte{der}
		}},
		"truncated": {corrupt: func(raw []byte) []byte { return raw[:len(raw)/2] }},
		"empty":     {corrupt: func([]byte) []byte { return nil }},
		"no JWS":    {corrupt: func([]byte) []byte { return []byte("{}") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBlob(t, m.entry())
			if tt.change != nil {
				tt.change(b)
			}
			raw, root := b.sign(t), b.root
			if tt.corrupt != nil {
				raw = tt.corrupt(raw)
			}
			if tt.root != nil {
				root = tt.root(b)
			}
			if _, err := openBlob(raw, root, time.Now()); err == nil {
				t.Error("accepted")
			}
		})
	}
	b := newBlob(t, m.entry())
	if _, err := openBlob(b.sign(t), b.root, time.Now()); err != nil {
		t.Errorf("an honest one: %v", err)
	}
	if _, err := openBlob(b.sign(t), b.root, time.Now().AddDate(20, 0, 0)); err == nil {
		t.Error("an expired signer was accepted")
	}
}

func TestConfigurationThatCannotBeKept(t *testing.T) {
	h := newHouse(t)
	for name, change := range map[string]func(*Config){
		"http":               func(c *Config) { c.Origin = "http://pdp.test" },
		"path":               func(c *Config) { c.Origin = "https://pdp.test/" },
		"no host":            func(c *Config) { c.Origin = "https://" },
		"AAGUID":             func(c *Config) { c.PermitAAGUIDs = []string{"blue"} },
		"zero AAGUID":        func(c *Config) { c.PermitAAGUIDs = []string{uuid.Nil.String()} },
		"the test AAGUID":    func(c *Config) { c.PermitAAGUIDs = []string{testAAGUID.String()} },
		"metadata not there": func(c *Config) { c.MDSFile += ".not" },
		"no store":           func(c *Config) { c.Store = nil },
		"no recorder":        func(c *Config) { c.Recorder = nil },
		"no sealer":          func(c *Config) { c.Sealer = nil },
	} {
		config := h.config
		change(&config)
		if _, err := New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzMetadataBlob(f *testing.F) {
	m := newMaker(f)
	b := newBlob(f, m.entry())
	raw := b.sign(f)
	f.Add(raw)
	f.Add([]byte("a.b.c"))
	f.Add([]byte(""))
	f.Add(bytes.Replace(raw, []byte("."), []byte(".."), 1))
	f.Fuzz(func(t *testing.T, changed []byte) {
		payload, err := openBlob(changed, b.root, time.Now())
		if err == nil && !bytes.Equal(bytes.TrimSpace(changed), raw) && payload.Number != 1 {
			t.Fatal("accepted what was not signed")
		}
	})
}
