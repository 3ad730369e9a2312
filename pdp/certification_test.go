package pdp

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
)

// The certification scenario of the AuthZEN Authorization API 1.0
// (openid/authzen, certification/), level by level, asked of a whole PDP over
// HTTPS. The fixture is the shipped example.

// certified is a PDP with a portal whose application is the fixture.
type certified struct {
	t      *testing.T
	pdp    *PDP
	server *httptest.Server
	portal wire.Portal
	secret string
}

// exampleFiles are the shipped example's.
func exampleFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"schema.cedarschema", "entities.json", "policies.cedar"} {
		raw, err := os.ReadFile(filepath.Join("..", "examples", "application", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = raw
	}
	return files
}

func newCertified(t *testing.T) *certified {
	t.Helper()
	config := Default()
	config.Data = filepath.Join(t.TempDir(), "pdp")
	config.Admin.Socket = filepath.Join(t.TempDir(), "admin.sock")
	config.Admin.UIDs = []uint32{uint32(os.Getuid())} // #nosec G115 -- never negative
	config.Web.Origin = "https://pdp.example"
	config.Attestation.EndorsementCAs = t.TempDir()
	if _, err := Init(t.Context(), config, First{Agency: wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}, Account: "lin", Name: "林"}); err != nil {
		t.Fatal(err)
	}
	p, err := New(t.Context(), config, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := &certified{t: t, pdp: p}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if c.portal, c.secret, err = p.names.CreatePortal(t.Context(), wire.Portal{
		Agency: "moda", NameZH: "登記", NameEN: "Registry", Origin: "https://registry.example", Sensitivity: wire.PortalNormal,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.applications.Set(t.Context(), c.portal, exampleFiles(t), "uid:0"); err != nil {
		t.Fatal(err)
	}
	c.server = httptest.NewTLSServer(p.proxyHandler())
	t.Cleanup(c.server.Close)
	return c
}

// send makes one request and returns its answer.
func (c *certified) send(method, path, body string, headers ...string) (*http.Response, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.secret)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.server.Client().Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, raw
}

// post asks and reads the answer, which is 200 and JSON.
func (c *certified) post(path, body string, out any) {
	c.t.Helper()
	response, raw := c.send(http.MethodPost, path, body)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		c.t.Fatalf("%s %s: %s %s", path, body, response.Status, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		c.t.Fatalf("%s: %v", raw, err)
	}
}

// decided is a Decision; without a boolean it is not one.
type decided struct {
	Decision *bool           `json:"decision"`
	Context  json.RawMessage `json:"context"`
}

func (d decided) check(t *testing.T, what string, want bool) {
	t.Helper()
	if d.Decision == nil || *d.Decision != want {
		t.Errorf("%s: %v, want %v (%s)", what, d.Decision, want, d.Context)
	}
	if d.Context != nil && d.Context[0] != '{' {
		t.Errorf("%s: context %s", what, d.Context)
	}
}

func (c *certified) decides(body string, want bool) {
	c.t.Helper()
	var d decided
	c.post("/access/v1/evaluation", body, &d)
	d.check(c.t, body, want)
}

// all asks the batch endpoint and checks cardinality and, where wanted,
// decisions; nil wants any.
func (c *certified) all(body string, want ...any) {
	c.t.Helper()
	var out struct{ Evaluations []decided }
	c.post("/access/v1/evaluations", body, &out)
	if len(out.Evaluations) != len(want) {
		c.t.Fatalf("%s: %d answers, want %d", body, len(out.Evaluations), len(want))
	}
	for i, d := range out.Evaluations {
		if b, ok := want[i].(bool); ok {
			d.check(c.t, body, b)
		} else if d.Decision == nil {
			c.t.Errorf("%s: no decision", body)
		}
	}
}

type pageOf struct {
	Results []struct{ Type, ID, Name string } `json:"results"`
	Page    *struct {
		NextToken *string `json:"next_token"`
		Count     int     `json:"count"`
	} `json:"page"`
}

// finds searches and checks that the results hold at least these.
func (c *certified) finds(what, body, kind string, want ...string) pageOf {
	c.t.Helper()
	var out pageOf
	c.post("/access/v1/search/"+what, body, &out)
	if out.Results == nil || out.Page == nil || out.Page.NextToken == nil {
		c.t.Fatalf("%s: %+v", body, out)
	}
	var got []string
	for _, r := range out.Results {
		if r.Type != kind || (r.ID == "") == (r.Name == "") {
			c.t.Errorf("%s: result %+v", body, r)
		}
		got = append(got, r.ID+r.Name)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			c.t.Errorf("%s: %q, and not %s", body, got, w)
		}
	}
	return out
}

func (c *certified) refuses(path, body string, status int) {
	c.t.Helper()
	if response, raw := c.send(http.MethodPost, path, body); response.StatusCode != status {
		c.t.Errorf("%s %s: %s %s", path, body, response.Status, raw)
	}
}

const (
	aliceReads = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`
	alice      = `"subject":{"type":"user","id":"alice"}`
	bobAdmin   = `"subject":{"type":"user","id":"bob","properties":{"role":"admin"}}`
	first      = `"resource":{"type":"record","id":"record-1"}`
	archived   = `"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}`
)

func TestCertificationBasicCore(t *testing.T) {
	c := newCertified(t)
	c.decides(aliceReads, true)
	c.decides(`{`+alice+`,"action":{"name":"write"},`+first+`}`, true)
	c.decides(`{"subject":{"type":"user","id":"bob"},"action":{"name":"read"},`+first+`}`, true)
	c.decides(`{"subject":{"type":"user","id":"bob"},"action":{"name":"write"},`+first+`}`, false)
	c.decides(aliceReads[:len(aliceReads)-1]+`,"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"}}`, true)
	c.decides(`{"subject":{"type":"user","id":"alice","properties":{"department":"Sales","role":"manager"}},"action":{"name":"read","properties":{"method":"GET"}},`+
		`"resource":{"type":"record","id":"record-1","properties":{"status":"active","owner":"bob"}}}`, true)
	c.decides(aliceReads[:len(aliceReads)-1]+`,"foo":"bar","futureField":{"nested":true}}`, true)
	for range 5 { // idempotency
		c.decides(aliceReads, true)
	}
}

func TestCertificationBasicProperties(t *testing.T) {
	c := newCertified(t)
	c.decides(`{`+alice+`,"action":{"name":"write"},`+archived+`}`, false)
	c.decides(`{`+bobAdmin+`,"action":{"name":"write"},`+archived+`}`, true)
	c.decides(`{`+alice+`,"action":{"name":"delete","properties":{"soft":true}},`+first+`}`, true)
	c.decides(`{`+alice+`,"action":{"name":"delete","properties":{"soft":false}},`+first+`}`, false)
}

// What the scenario leaves to the policy: a claim refuses, and never grants.
func TestAClaimDoesNotReplaceAnAttribute(t *testing.T) {
	c := newCertified(t)
	c.decides(`{`+alice+`,"action":{"name":"write"},"resource":{"type":"record","id":"record-1","properties":{"status":"archived"}}}`, false)
	c.decides(`{`+alice+`,"action":{"name":"write"},"resource":{"type":"record","id":"record-2","properties":{"status":"active"}}}`, false)
	c.decides(`{"subject":{"type":"user","id":"alice","properties":{"role":"admin"}},"action":{"name":"write"},`+archived+`}`, false)
	c.decides(`{"subject":{"type":"user","id":"mallory","properties":{"role":"admin"}},"action":{"name":"write"},`+archived+`}`, false)
	c.decides(`{`+alice+`,"action":{"name":"delete"},`+first+`}`, false)
	c.decides(`{`+alice+`,"action":{"name":"delete","properties":{"soft":"true"}},`+first+`}`, false)
}

func TestCertificationBasicErrors(t *testing.T) {
	c := newCertified(t)
	for _, body := range []string{
		`{"action":{"name":"read"},` + first + `}`,
		`{` + alice + `,` + first + `}`,
		`{` + alice + `,"action":{"name":"read"}}`,
		`{"subject":{"id":"alice"},"action":{"name":"read"},` + first + `}`,
		`{"subject":{"type":"user"},"action":{"name":"read"},` + first + `}`,
		`{` + alice + `,"action":{},` + first + `}`,
		`{` + alice + `,"action":{"name":"read"},"resource":{"id":"record-1"}}`,
		`{` + alice + `,"action":{"name":"read"},"resource":{"type":"record"}}`,
		`{"subject":"alice","action":{"name":"read"},` + first + `}`,
		`{` + alice + `,"action":{"name":123},` + first + `}`,
		`{` + alice, ``, `[]`, `null`, `"x"`, aliceReads + `{}`,
	} {
		c.refuses("/access/v1/evaluation", body, http.StatusBadRequest)
	}
	for _, kind := range []string{"text/plain", "application/xml", ""} {
		if response, _ := c.send(http.MethodPost, "/access/v1/evaluation", aliceReads, "Content-Type", kind); response.StatusCode != http.StatusBadRequest {
			t.Errorf("Content-Type %q: %s", kind, response.Status)
		}
	}
	response, _ := c.send(http.MethodPost, "/access/v1/evaluation", aliceReads, "X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")
	if got := response.Header.Get("X-Request-ID"); got != "bfe9eb29-ab87-4ca3-be83-a1d5d8305716" {
		t.Errorf("X-Request-ID: %q", got)
	}
}

func TestCertificationBatchCore(t *testing.T) {
	c := newCertified(t)
	c.all(`{`+alice+`,"action":{"name":"read"},"evaluations":[{`+first+`},{"resource":{"type":"record","id":"record-2"}}]}`, nil, nil)
	c.all(`{"subject":{"type":"user","id":"bob"},`+first+`,"evaluations":[{"action":{"name":"read"}},{"action":{"name":"write"}}]}`, true, false)
	c.all(`{"evaluations":[`+aliceReads+`,{"subject":{"type":"user","id":"bob"},"action":{"name":"write"},`+first+`}]}`, true, false)
	c.all(`{`+alice+`,"action":{"name":"read"},"context":{"time":"2025-06-27T18:03-07:00"},"evaluations":[{`+first+`},`+
		`{"resource":{"type":"record","id":"record-2"},"context":{"time":"2025-06-27T19:00-07:00","source":"batch-override"}}]}`, nil, nil)
	c.all(`{`+alice+`,"action":{"name":"read"},"evaluations":[{`+first+`},{}]}`, true, false)
	for _, body := range []string{aliceReads, aliceReads[:len(aliceReads)-1] + `,"evaluations":[]}`} {
		var d decided
		c.post("/access/v1/evaluations", body, &d)
		d.check(t, body, true)
	}
	c.refuses("/access/v1/evaluations", `{"evaluations":[`, http.StatusBadRequest)
}

func TestCertificationBatchProperties(t *testing.T) {
	c := newCertified(t)
	c.all(`{`+alice+`,"action":{"name":"write"},"evaluations":[{"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}},{`+archived+`}]}`, true, false)
	c.all(`{"action":{"name":"write"},`+archived+`,"evaluations":[{`+alice+`},{`+bobAdmin+`}]}`, false, true)
	c.all(`{`+alice+`,"action":{"name":"write"},"resource":{"type":"record"},"evaluations":[{"resource":{"id":"record-1","properties":{"status":"active"}}},{`+archived+`}]}`, true, false)
}

func TestCertificationSearchCore(t *testing.T) {
	c := newCertified(t)
	who := `{"subject":{"type":"user"},"action":{"name":"read"},` + first
	c.finds("subject", who+`}`, "user", "alice", "bob")
	c.finds("subject", who+`,"context":{"time":"2025-06-27T18:03-07:00"}}`, "user", "alice", "bob")
	c.finds("resource", `{`+alice+`,"action":{"name":"read"},"resource":{"type":"record"}}`, "record", "record-1")
	c.finds("action", `{`+alice+`,`+first+`}`, "", "read", "write")
	c.finds("action", `{`+alice+`,`+first+`,"context":{}}`, "", "read", "write")

	one := c.finds("subject", who+`,"page":{"limit":1}}`, "user", "alice")
	if len(one.Results) != 1 || *one.Page.NextToken == "" {
		t.Fatalf("%+v", one)
	}
	two := c.finds("subject", who+`,"page":{"token":"`+*one.Page.NextToken+`"}}`, "user", "bob")
	if len(two.Results) != 1 || *two.Page.NextToken != "" {
		t.Fatalf("%+v", two)
	}

	for what, body := range map[string]string{
		"action":  `{"subject":{"type":"user","id":"nonexistent-user"},` + first + `}`,
		"subject": `{"subject":{"type":"spaceship"},"action":{"name":"read"},` + first + `}`,
	} {
		if out := c.finds(what, body, ""); len(out.Results) != 0 {
			t.Errorf("%s: %+v", body, out)
		}
	}
	for _, q := range [][2]string{
		{"subject", `{"subject":{"type":"user"},` + first + `}`},
		{"resource", `{"action":{"name":"read"},"resource":{"type":"record"}}`},
		{"action", `{` + alice + `}`},
		{"subject", `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record"}}`},
		{"resource", `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record"}}`},
	} {
		c.refuses("/access/v1/search/"+q[0], q[1], http.StatusBadRequest)
	}
}

func TestCertificationSearchProperties(t *testing.T) {
	c := newCertified(t)
	c.finds("subject", `{"subject":{"type":"user"},"action":{"name":"write"},`+archived+`}`, "user", "bob")
	c.finds("resource", `{`+bobAdmin+`,"action":{"name":"write"},"resource":{"type":"record"}}`, "record", "record-2")
	c.finds("action", `{`+bobAdmin+`,`+archived+`}`, "", "write")
}

func TestCertificationDiscovery(t *testing.T) {
	c := newCertified(t)
	for path, base := range map[string]string{
		"/.well-known/authzen-configuration":                c.server.URL,
		"/.well-known/authzen-configuration/" + c.portal.ID: c.server.URL + "/" + c.portal.ID,
	} {
		response, raw := c.send(http.MethodGet, path, "")
		var metadata map[string]string
		if err := json.Unmarshal(raw, &metadata); err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %s %s", path, response.Status, raw)
		}
		if metadata["policy_decision_point"] != base {
			t.Errorf("%s: %q", path, metadata)
		}
		for parameter, at := range map[string]string{
			"access_evaluation_endpoint": "/access/v1/evaluation", "access_evaluations_endpoint": "/access/v1/evaluations",
			"search_subject_endpoint": "/access/v1/search/subject", "search_resource_endpoint": "/access/v1/search/resource", "search_action_endpoint": "/access/v1/search/action",
		} {
			if metadata[parameter] != base+at {
				t.Errorf("%s: %s is %q", path, parameter, metadata[parameter])
			}
		}
		if len(metadata) != 6 {
			t.Errorf("%s tells of what is not there: %q", path, metadata)
		}
		// What is described is what answers.
		endpoint := strings.TrimPrefix(metadata["access_evaluation_endpoint"], c.server.URL)
		var d decided
		c.post(endpoint, aliceReads, &d)
		d.check(t, endpoint, true)
	}
}

// Each request is one record, with what it asked and what it was answered.
func TestEachRequestIsOneRecord(t *testing.T) {
	c := newCertified(t)
	before := c.pdp.state.log.Durable()
	response, _ := c.send(http.MethodPost, "/access/v1/evaluations", `{"evaluations":[`+aliceReads+`,{`+alice+`,"action":{"name":"write"},`+archived+`}]}`)
	id := response.Header.Get("Menshen-Decision")
	if wire.CheckID(wire.PrefixDecision, id) != nil {
		t.Fatalf("decision %q", id)
	}
	entries, err := audit.Find(auditDir(c.pdp.config), id)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d records, %v", len(entries), err)
	}
	got := entries[0].Record
	if got.Kind != wire.AuditEvaluation || got.Portal != c.portal.ID || got.Agency != "moda" {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{`"question":"user:alice read record:record-1","allowed":true,"policies":["readers"]`, `"allowed":false,"code":"ZT-POL-091","policies":["archived-is-closed"]`, `"application":"`} {
		if !bytes.Contains(got.Detail, []byte(want)) {
			t.Errorf("%s is missing in %s", want, got.Detail)
		}
	}
	if after := c.pdp.state.log.Durable(); after != before+1 {
		t.Errorf("%d records", after-before)
	}
}
