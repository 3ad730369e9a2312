package pdp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `data: /var/lib/menshen-pdp
web:
  origin: https://pdp.example.gov.tw
  certificate: /etc/menshen/web.pem
  key: /etc/menshen/web.key
agents:
  names: [pdp.example.gov.tw]
`

var plugin = "plugins:\n  run:\n    - name: x\n      cluster: network\n      sha256: " + strings.Repeat("ab", 32) + "\n"

func load(t *testing.T, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pdp.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(file)
	return err
}

func TestConfigIsRead(t *testing.T) {
	if err := load(t, good); err != nil {
		t.Fatal(err)
	}
}

func TestConfigErrorsNameTheLine(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"unknown key":          {good + "colour: red\n", "[8:1]"},
		"doubled key":          {good + "data: /elsewhere\n", "[8:1]"},
		"wrong type":           {good + "trust:\n  refresh: often\n", "line 9: \"often\" is not a duration"},
		"wrong level":          {good + "log:\n  level: loud\n", "loud"},
		"second document":      {good + "---\ndata: /x\n", "only one YAML document"},
		"http origin":          {strings.Replace(good, "https://pdp", "http://pdp", 1), "line 3: web.origin: must be https"},
		"origin with path":     {strings.Replace(good, "gov.tw\n  cert", "gov.tw/x\n  cert", 1), "line 3: web.origin"},
		"no certificate":       {strings.Replace(good, "  certificate: /etc/menshen/web.pem\n", "", 1), "web.certificate"},
		"relative data":        {strings.Replace(good, "/var/lib", "var/lib", 1), "line 1: data"},
		"no agents' names":     {strings.Replace(good, "[pdp.example.gov.tw]", "[]", 1), "line 7: agents.names"},
		"interval of years":    {good + "attestation:\n  interval: 9000h\n", "line 9: attestation.interval"},
		"plugin astray":        {good + "plugins:\n  run:\n    - name: x\n      cluster: moon\n", "line 11: plugins.run[0].cluster"},
		"plugin unchecked":     {good + "plugins:\n  run:\n    - name: x\n", "line 10: plugins.run[0].sha256"},
		"plugin elsewhere":     {good + "plugins:\n  run:\n    - name: ../x\n      sha256: " + strings.Repeat("ab", 32) + "\n", "line 10: plugins.run[0].name"},
		"plugin's own setting": {good + plugin + "      settings: [1]\n", "[13:17]"},
		"plugin reads here":    {good + plugin + "      read: [db/city.mmdb]\n", "line 13: plugins.run[0].read[0]"},
		"plugin's memory":      {good + plugin + "      memory_mib: 1\n", "line 13: plugins.run[0].memory_mib"},
		"launcher nearby":      {good + "plugins:\n  launcher: launcher.sock\n", "line 9: plugins.launcher"},
		"plugin as root":       {good + plugin + "      uid: 4294967295\n", "line 13: plugins.run[0].uid"},
		"plugin for hours":     {good + plugin + "      deadline: 1h\n", "line 13: plugins.run[0].deadline"},
		"no approver":          {good + "attestation:\n  reference:\n    approvers: 0\n", "line 10: attestation.reference.approvers"},
		"three officers":       {good + "policy:\n  approvers: 3\n", "line 9: policy.approvers"},
		"no officer":           {good + "policy:\n  approvers: 0\n", "line 9: policy.approvers"},
		"more than all":        {good + "policy:\n  confirm_above: 101\n", "line 9: policy.confirm_above"},
		"Envoy nowhere":        {good + "proxies:\n  grpc_listen: here\n", "line 9: proxies.grpc_listen"},
		"no reserve":           {good + "audit:\n  reserve_mib: 0\n", "line 9: audit.reserve_mib"},
		"inputs too short":     {good + "audit:\n  inputs_days: 59\n", "line 9: audit.inputs_days"},
		"inputs for ever":      {good + "audit:\n  inputs_days: 3661\n", "line 9: audit.inputs_days"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := load(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to name %q", err, c.want)
			}
		})
	}
}

// TestRequiredClaims: a claim that nobody knows, and none at all, would demand
// less than was meant.
func TestRequiredClaims(t *testing.T) {
	for _, names := range [][]string{nil, {"firewall", "usb-storage"}} {
		if _, err := newJudge(AttestationConfig{RequiredClaims: names}, "", nil, nil); err != nil {
			t.Errorf("%q: %v", names, err)
		}
	}
	for _, names := range [][]string{{}, {"firewal"}, {"firewall", "firewall"}} {
		if _, err := newJudge(AttestationConfig{RequiredClaims: names}, "", nil, nil); err == nil || !strings.Contains(err.Error(), "attestation.required_claims") {
			t.Errorf("%q: %v", names, err)
		}
	}
}
