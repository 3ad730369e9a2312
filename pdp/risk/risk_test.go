package risk

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/token"
)

const (
	origin   = "https://pdp.example.gov.tw"
	audience = origin + "/a/moda"
	issuer   = "https://siem.example"
)

// siem is a source with its keys.
type siem struct {
	record wire.SignalSource
	secret string
	key    *rsa.PrivateKey
	issuer string
}

// world is a Listener on a real store and directory.
type world struct {
	t     *testing.T
	path  string
	store *bolt.Store
	names *directory.Directory
	*Listener

	person, other wire.Person
	device        wire.Device
	siem          *siem

	http *http.Client // trusts the sources of the test

	mu       sync.Mutex
	now      time.Time
	records  []map[string]string
	subjects []string
	logErr   error
	told     []string
	jti      int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "store"), now: time.Now().Truncate(time.Second), http: http.DefaultClient}
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	for _, id := range []string{"moda", "nstc"} {
		_, err := w.names.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "機關", NameEN: "Agency"})
		w.must(err)
	}
	var err error
	w.person, err = w.names.CreatePerson(t.Context(), wire.Person{Agency: "moda", Account: "wang.xm", Name: "Wang"})
	w.must(err)
	w.other, err = w.names.CreatePerson(t.Context(), wire.Person{Agency: "nstc", Account: "li", Name: "Li"})
	w.must(err)
	w.device = w.laptop("moda", "LT-1")
	w.siem = w.add("siem", issuer)
	return w
}

func (w *world) laptop(agency, name string) wire.Device {
	w.t.Helper()
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	w.must(err)
	spki, ek := sha256.Sum256([]byte(name)), sha256.Sum256([]byte("ek "+name))
	d := wire.Device{ID: id, Agency: agency, Name: name, Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM, EKDigest: ek[:],
		AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: spki[:], EnrolledAt: time.Now().UTC()}
	w.must(w.names.AddDevice(w.t.Context(), d, "", nil, nil))
	return d
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.store, err = bolt.Open(w.path, bolt.Options{})
	w.must(err)
	w.names = directory.New(w.store, time.Now, rand.Reader)
	w.Listener, err = New(w.t.Context(), Config{Store: w.store, Directory: w.names, Recorder: w, Keys: parseKeys, HTTP: w.http, Clock: w.clock, Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler), Origin: origin})
	w.must(err)
	w.Subscribe(func(person, device string) { w.told = append(w.told, person+device) })
}

// crash loses what is in memory only.
func (w *world) crash() {
	w.t.Helper()
	w.must(w.store.Close())
	w.open()
}

// keySet is token.Keys as the PDP wires them.
type keySet struct{ *token.Keys }

func parseKeys(raw []byte) (KeySet, error) {
	keys, err := token.ParseKeys(raw)
	return keySet{keys}, err
}

func (k keySet) Verify(compact string) ([]byte, error) {
	claims, err := k.Keys.Verify(compact)
	if errors.Is(err, token.ErrSETKey) {
		err = errors.Join(ErrKey, err)
	}
	return claims, err
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) { w.mu.Lock(); w.now = w.now.Add(d); w.mu.Unlock() }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Append implements Recorder.
func (w *world) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logErr != nil {
		return 0, w.logErr
	}
	var detail map[string]string
	if r.Kind != wire.AuditSignal || json.Unmarshal(r.Detail, &detail) != nil {
		w.t.Errorf("record %+v", r)
	}
	w.records, w.subjects = append(w.records, detail), append(w.subjects, r.Subject+r.Device)
	return 1, nil
}

var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (w *world) jwks(key *rsa.PrivateKey) []byte {
	w.t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	w.must(err)
	return raw
}

func (w *world) add(name, issuer string) *siem {
	w.t.Helper()
	key, err := oneKey()
	w.must(err)
	s := &siem{key: key, issuer: issuer}
	s.record, s.secret, err = w.AddSource(w.t.Context(), wire.SignalSource{Agency: "moda", Name: name, Issuer: issuer, Keys: w.jwks(key), Domains: []string{"moda.gov.tw"}}, "uid:0")
	w.must(err)
	return s
}

type members = map[string]any

// set is a sound token's claims, with one member of them changed or removed (nil).
func (w *world) set(event string, body members, about any, change members) members {
	w.jti++
	c := members{"iss": issuer, "aud": audience, "jti": "t" + string(rune('a'+w.jti%26)) + time.Duration(w.jti).String(), "iat": w.clock().Unix(), "sub_id": about, "events": members{event: body}}
	for name, v := range change {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

func (w *world) sign(key *rsa.PrivateKey, kid, typ string, payload []byte) string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	w.must(err)
	signed, err := signer.Sign(payload)
	w.must(err)
	text, err := signed.CompactSerialize()
	w.must(err)
	return text
}

func (w *world) signed(c members) string {
	w.t.Helper()
	raw, err := json.Marshal(c)
	w.must(err)
	return w.sign(w.siem.key, "k", "secevent+jwt", raw)
}

// send pushes a token and returns the status and RFC 8935's error code.
func (w *world) send(secret, compact string, header ...string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/a/moda/ssf/events", strings.NewReader(compact))
	r.Header.Set("Content-Type", "application/secevent+jwt")
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	var document struct{ Err, Description string }
	if rec.Code >= 400 && rec.Header().Get("Content-Type") == "application/json" {
		w.must(json.Unmarshal(rec.Body.Bytes(), &document))
		if document.Description == "" || rec.Header().Get("Content-Language") == "" {
			w.t.Errorf("the error document is not whole: %s", rec.Body)
		}
	} else if rec.Code == http.StatusAccepted && rec.Body.Len() != 0 {
		w.t.Errorf("202 with %s", rec.Body)
	}
	return rec.Code, document.Err
}

func user(id string) members { return members{"format": "opaque", "id": id} }

func riskBody(principal, level string) members {
	return members{"principal": principal, "current_level": level}
}

// says has a source say something that is to be taken.
func (w *world) says(from *siem, event string, body members, about any) {
	w.t.Helper()
	if code, err := w.send(from.secret, w.signed(w.set(event, body, about, members{"iss": from.issuer}))); code != http.StatusAccepted {
		w.t.Fatal(code, err)
	}
}

func (w *world) facts() wire.RiskFacts { return w.Facts(w.person.ID, w.device.ID) }

func TestRiskOfAPersonAndADevice(t *testing.T) {
	w := newWorld(t)
	if f := w.facts(); f != (wire.RiskFacts{}) {
		t.Fatalf("nobody said anything: %+v", f)
	}
	began := w.clock()
	w.says(w.siem, kindRisk, riskBody("USER", "HIGH"), user(w.person.ID))
	w.pass(time.Hour)
	w.says(w.siem, kindRisk, riskBody("DEVICE", "MEDIUM"), members{"format": "opaque", "id": "LT-1"})
	want := wire.RiskFacts{Person: wire.RiskHigh, Device: wire.RiskMedium, ChangesAt: began.Add(24 * time.Hour).UTC()}
	if f := w.facts(); f != want {
		t.Fatalf("%+v", f)
	}
	if strings.Join(w.told, " ") != w.person.ID+" "+w.device.ID {
		t.Error(w.told)
	}
	if f := w.Facts(w.other.ID, "dev-x"); f != (wire.RiskFacts{}) {
		t.Errorf("another: %+v", f)
	}
	w.crash()
	if f := w.facts(); f != want {
		t.Fatalf("after a crash: %+v", f)
	}
	w.pass(23 * time.Hour) // the person's has ended
	if f := w.facts(); f.Person != "" || f.Device != wire.RiskMedium {
		t.Errorf("%+v", f)
	}
	w.told = nil
	if next := w.end(w.clock()); next != longestNap || strings.Join(w.told, " ") != w.person.ID {
		t.Error(next, w.told)
	}
	w.pass(time.Hour)
	if f := w.facts(); f != (wire.RiskFacts{}) {
		t.Errorf("%+v", f)
	}
	w.crash()
	if w.Sources("moda")[0].Statements != 0 {
		t.Error("what has ended came back")
	}
}

func TestAnEDRsComplianceVerdict(t *testing.T) {
	w := newWorld(t)
	about := members{"format": "complex", "device": members{"format": "iss_sub", "iss": audience, "sub": w.device.ID}, "tenant": members{"format": "opaque", "id": "moda"}}
	w.says(w.siem, kindCompliance, members{"previous_status": "compliant", "current_status": "not-compliant"}, about)
	if f := w.facts(); f.Device != wire.RiskHigh || f.Person != "" {
		t.Fatalf("%+v", f)
	}
	w.says(w.siem, kindRisk, riskBody("DEVICE", "LOW"), about)
	if f := w.facts(); f.Device != wire.RiskHigh {
		t.Error("one topic muted another")
	}
	w.says(w.siem, kindCompliance, members{"previous_status": "not-compliant", "current_status": "compliant"}, about)
	if f := w.facts(); f.Device != wire.RiskLow {
		t.Errorf("%+v", f)
	}
}

// One source's low never mutes another's high; its own does.
func TestSourcesDoNotMuteEachOther(t *testing.T) {
	w := newWorld(t)
	edr := w.add("edr", "https://edr.example")
	w.says(w.siem, kindRisk, riskBody("USER", "HIGH"), user(w.person.ID))
	w.says(edr, kindRisk, riskBody("USER", "LOW"), user(w.person.ID))
	if f := w.facts(); f.Person != wire.RiskHigh {
		t.Fatalf("muted: %+v", f)
	}
	w.says(edr, kindRisk, riskBody("USER", "MEDIUM"), user(w.person.ID))
	w.says(w.siem, kindRisk, riskBody("USER", "LOW"), user(w.person.ID))
	if f := w.facts(); f.Person != wire.RiskMedium {
		t.Fatalf("%+v", f)
	}
	if _, err := w.RemoveSource(t.Context(), "nstc", edr.record.ID); !errors.Is(err, store.ErrNotFound) {
		t.Error("another agency removed it:", err)
	}
	_, err := w.RemoveSource(t.Context(), "moda", edr.record.ID)
	w.must(err)
	if f := w.facts(); f.Person != wire.RiskLow {
		t.Errorf("a removed source is heeded: %+v", f)
	}
	w.crash()
	if f := w.facts(); f.Person != wire.RiskLow {
		t.Errorf("after a crash: %+v", f)
	}
	if code, err := w.send(edr.secret, "x"); code != http.StatusUnauthorized || err != errAuthentication {
		t.Error(code, err)
	}
}

// Whom a source may name, and how (RFC 9493; SSF 1.0, 3.2).
func TestSubjects(t *testing.T) {
	w := newWorld(t)
	p := w.person.ID
	iss := func(sub string) members { return members{"format": "iss_sub", "iss": audience, "sub": sub} }
	for name, about := range map[string]any{
		"id": user(p), "account": user("wang.xm"), "issuer and id": iss(p), "issuer and account": iss("wang.xm"),
		"mail": members{"format": "email", "email": "wang.xm@MODA.gov.tw"}, "acct": members{"format": "account", "uri": "acct:wang.xm@moda.gov.tw"},
		"complex":         members{"format": "complex", "user": iss(p)},
		"complex, tenant": members{"format": "complex", "user": user(p), "tenant": user("moda")},
		"unheard member":  members{"format": "opaque", "id": p, "note": "x"},
	} {
		w.says(w.siem, kindRisk, riskBody("USER", "HIGH"), about)
		if f := w.facts(); f.Person != wire.RiskHigh {
			t.Errorf("%s: %+v", name, f)
		}
		w.says(w.siem, kindRisk, riskBody("USER", "LOW"), about)
	}
	foreign := w.laptop("nstc", "LT-9")
	_, err := w.names.RetireDevice(t.Context(), w.laptop("moda", "LT-0").ID)
	w.must(err)
	for name, c := range map[string]struct {
		principal string
		about     any
	}{
		"another agency's person":  {"USER", user(w.other.ID)},
		"another agency's account": {"USER", user("li")},
		"nobody":                   {"USER", user("per-x")},
		"empty":                    {"USER", user("")},
		"another domain":           {"USER", members{"format": "email", "email": "wang.xm@evil.example"}},
		"no domain":                {"USER", members{"format": "email", "email": "wang.xm"}},
		"two domains":              {"USER", members{"format": "email", "email": "wang.xm@evil.example@moda.gov.tw"}},
		"another issuer":           {"USER", members{"format": "iss_sub", "iss": "https://else.example", "sub": p}},
		"another agency's issuer":  {"USER", members{"format": "iss_sub", "iss": origin + "/a/nstc", "sub": p}},
		"phone":                    {"USER", members{"format": "phone_number", "phone_number": "+886"}},
		"no format":                {"USER", members{"id": p}},
		"device as person":         {"USER", user(w.device.ID)},
		"person as device":         {"DEVICE", user(p)},
		"another agency's device":  {"DEVICE", user(foreign.ID)},
		"another agency's name":    {"DEVICE", user("LT-9")},
		"retired":                  {"DEVICE", user("LT-0")},
		"device's other issuer":    {"DEVICE", members{"format": "iss_sub", "iss": "https://else.example", "sub": w.device.ID}},
		"complex without it":       {"DEVICE", members{"format": "complex", "user": user(p)}},
		"complex of both":          {"USER", members{"format": "complex", "user": user(p), "device": user(w.device.ID)}},
		"one session of hers":      {"USER", members{"format": "complex", "user": user(p), "session": user("ses-1")}},
		"another tenant":           {"USER", members{"format": "complex", "user": user(p), "tenant": user("nstc")}},
	} {
		code, err := w.send(w.siem.secret, w.signed(w.set(kindRisk, riskBody(c.principal, "HIGH"), c.about, nil)))
		if code != http.StatusBadRequest || err != errRequest {
			t.Errorf("%s: %d %s", name, code, err)
		}
	}
	if f := w.facts(); f.Person != wire.RiskLow || f.Device != "" {
		t.Errorf("%+v", f)
	}
}

// Each forged or malformed token has exactly one fault, and changes nothing.
func TestForgedTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	good := func(change members) members {
		return w.set(kindRisk, riskBody("USER", "HIGH"), user(w.person.ID), change)
	}
	event := func(kind string, body any) members {
		return good(members{"events": members{kind: body}})
	}
	raw := func(c members) []byte { b, err := json.Marshal(c); w.must(err); return b }
	now := w.clock().Unix()
	twice := bytes.Replace(raw(good(nil)), []byte(`{`), []byte(`{"iss":"`+issuer+`",`), 1)
	none := strings.Split(w.signed(good(nil)), ".")
	with := func(name string, v any) members {
		b := riskBody("USER", "HIGH")
		b[name] = v
		return event(kindRisk, b)
	}
	tooBig := good(members{"note": strings.Repeat("x", maxToken)})
	for name, c := range map[string]struct {
		token string
		want  string
	}{
		"not a token":           {"hello", errRequest},
		"alg none":              {"eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0Iiwia2lkIjoiayJ9." + none[1] + ".", errRequest},
		"access token":          {w.sign(w.siem.key, "k", "at+jwt", raw(good(nil))), errRequest},
		"stranger's key":        {w.sign(stranger, "k", "secevent+jwt", raw(good(nil))), errKey},
		"unknown key":           {w.sign(w.siem.key, "other", "secevent+jwt", raw(good(nil))), errKey},
		"changed":               {none[0] + "." + strings.Split(w.signed(good(nil)), ".")[1] + "." + none[2], errKey},
		"other issuer":          {w.signed(good(members{"iss": "https://edr.example"})), errIssuer},
		"no issuer":             {w.signed(good(members{"iss": nil})), errIssuer},
		"other audience":        {w.signed(good(members{"aud": origin + "/a/nstc"})), errAudience},
		"no audience":           {w.signed(good(members{"aud": nil})), errAudience},
		"audience and another":  {w.signed(good(members{"aud": []string{audience, "x"}})), errAudience},
		"exp":                   {w.signed(good(members{"exp": now + 60})), errRequest},
		"sub":                   {w.signed(good(members{"sub": w.person.ID})), errRequest},
		"no jti":                {w.signed(good(members{"jti": nil})), errRequest},
		"long jti":              {w.signed(good(members{"jti": strings.Repeat("x", mostText+1)})), errRequest},
		"no subject":            {w.signed(good(members{"sub_id": nil})), errRequest},
		"no iat":                {w.signed(good(members{"iat": nil})), errRequest},
		"iat of the future":     {w.signed(good(members{"iat": now + 61})), errRequest},
		"iat of yesterday":      {w.signed(good(members{"iat": now - 24*3600})), errRequest},
		"iat in milliseconds":   {w.signed(good(members{"iat": now * 1000})), errRequest},
		"iat as text":           {w.signed(good(members{"iat": "now"})), errRequest},
		"a member twice":        {w.sign(w.siem.key, "k", "secevent+jwt", twice), errRequest},
		"no events":             {w.signed(good(members{"events": members{}})), errRequest},
		"two events":            {w.signed(good(members{"events": members{kindRisk: riskBody("USER", "HIGH"), kindVerification: members{}}})), errRequest},
		"unknown event":         {w.signed(event("https://schemas.openid.net/secevent/caep/event-type/session-revoked", members{})), errRequest},
		"body as text":          {w.signed(event(kindRisk, "HIGH")), errRequest},
		"unknown level":         {w.signed(with("current_level", "CRITICAL")), errRequest},
		"level in lower case":   {w.signed(with("current_level", "high")), errRequest},
		"no level":              {w.signed(event(kindRisk, members{"principal": "USER"})), errRequest},
		"no principal":          {w.signed(event(kindRisk, members{"current_level": "HIGH"})), errRequest},
		"principal TENANT":      {w.signed(with("principal", "TENANT")), errRequest},
		"unknown status":        {w.signed(w.set(kindCompliance, members{"current_status": "ill"}, user(w.device.ID), nil)), errRequest},
		"timestamp to come":     {w.signed(with("event_timestamp", now+3600)), errRequest},
		"timestamp in millis":   {w.signed(with("event_timestamp", now*1000)), errRequest},
		"too big":               {w.signed(tooBig), errRequest},
		"two tokens in one":     {w.signed(good(nil)) + "\n" + w.signed(good(nil)), errRequest},
		"another source's word": {w.signed(good(members{"iss": issuer + "/"})), errIssuer},
	} {
		if code, got := w.send(w.siem.secret, c.token); code != http.StatusBadRequest || got != c.want {
			t.Errorf("%s: %d %s", name, code, got)
		}
	}
	sound := w.signed(good(nil))
	for name, c := range map[string]struct {
		secret string
		header []string
		code   int
	}{
		"no secret":            {"", nil, 401},
		"another secret":       {"x", nil, 401},
		"another scheme":       {w.siem.secret, []string{"Authorization", "Basic " + w.siem.secret}, 401},
		"another content type": {w.siem.secret, []string{"Content-Type", "application/jwt"}, 400},
	} {
		if code, _ := w.send(c.secret, sound, c.header...); code != c.code {
			t.Errorf("%s: %d", name, code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a/nstc/ssf/events", strings.NewReader(sound))
	r.Header = http.Header{"Content-Type": {"application/secevent+jwt"}, "Authorization": {"Bearer " + w.siem.secret}}
	rec := httptest.NewRecorder()
	if w.Handler().ServeHTTP(rec, r); rec.Code != http.StatusUnauthorized {
		t.Error("one agency's source speaks to another:", rec.Code)
	}
	if f := w.facts(); f != (wire.RiskFacts{}) || len(w.told) != 0 {
		t.Errorf("%+v %v", f, w.told)
	}
	page, err := w.store.Scan(t.Context(), store.Prefix(TokenKind, ""), "", 10)
	w.must(err)
	if len(page.Records) != 0 {
		t.Error("a refused token was kept")
	}
	if code, got := w.send(w.siem.secret, sound); code != http.StatusAccepted {
		t.Fatal("the sound one is refused:", code, got)
	}
	var refusals int
	for _, d := range w.records {
		if d["event"] == "risk-refused" {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("%d records of a flood of refusals", refusals)
	}
}

// A token counts once: sent again it is well and changes nothing, another one
// under its id is refused; both over a crash.
func TestATokenCountsOnce(t *testing.T) {
	w := newWorld(t)
	c := w.set(kindRisk, riskBody("USER", "HIGH"), user(w.person.ID), nil)
	first := w.signed(c)
	w.mustSend(first, http.StatusAccepted)
	w.pass(time.Second)
	w.says(w.siem, kindRisk, riskBody("USER", "LOW"), user(w.person.ID))
	for range 2 {
		w.mustSend(first, http.StatusAccepted)
		if f := w.facts(); f.Person != wire.RiskLow {
			t.Fatalf("a replay raised it again: %+v", f)
		}
		other := maps.Clone(c)
		other["note"] = "changed"
		w.mustSend(w.signed(other), http.StatusBadRequest)
		w.crash()
	}
}

func (w *world) mustSend(compact string, want int) {
	w.t.Helper()
	if code, err := w.send(w.siem.secret, compact); code != want {
		w.t.Fatal(code, err)
	}
}

// What a source said of an earlier time does not take the place of what it said
// of a later one.
func TestLateTokensChangeNothing(t *testing.T) {
	w := newWorld(t)
	now := w.clock().Unix()
	say := func(level string, at int64) {
		b := riskBody("USER", level)
		b["event_timestamp"] = at
		w.mustSend(w.signed(w.set(kindRisk, b, user(w.person.ID), nil)), http.StatusAccepted)
	}
	say("HIGH", now-10)
	say("LOW", now-20)
	if f := w.facts(); f.Person != wire.RiskHigh {
		t.Fatalf("%+v", f)
	}
	if last := w.records[len(w.records)-1]; last["outdated"] != "true" {
		t.Error(last)
	}
	say("LOW", now-5)
	if f := w.facts(); f.Person != wire.RiskLow {
		t.Fatalf("%+v", f)
	}
}

// What cannot be recorded does not count.
func TestStatementsNeedTheAuditLog(t *testing.T) {
	w := newWorld(t)
	token := w.signed(w.set(kindRisk, riskBody("USER", "HIGH"), user(w.person.ID), nil))
	w.logErr = errors.New("full")
	w.mustSend(token, http.StatusServiceUnavailable)
	if f := w.facts(); f.Person != "" {
		t.Fatalf("%+v", f)
	}
	w.logErr = nil
	w.mustSend(token, http.StatusAccepted)
	last := w.records[len(w.records)-1]
	if last["event"] != "risk-reported" || last["level"] != "high" || last["source"] != w.siem.record.ID || w.subjects[len(w.subjects)-1] != w.person.ID {
		t.Error(last, w.subjects)
	}
}

// A source's transmitter may verify its stream: that is acknowledged, and says
// nothing of anybody.
func TestVerificationIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{kindVerification, kindStreamUpdated} {
		w.mustSend(w.signed(w.set(kind, members{"state": "x", "status": "paused"}, user("stream-1"), nil)), http.StatusAccepted)
	}
	if f := w.facts(); f != (wire.RiskFacts{}) || len(w.records) != 0 {
		t.Error(f, w.records)
	}
}

func TestSourcesAreHeldToTheirBounds(t *testing.T) {
	w := newWorld(t)
	sound := wire.SignalSource{Agency: "moda", Name: "edr", Issuer: "https://edr.example", Keys: w.jwks(w.siem.key), Life: 1}
	for name, spoil := range map[string]func(*wire.SignalSource){
		"no name":      func(s *wire.SignalSource) { s.Name = "" },
		"long name":    func(s *wire.SignalSource) { s.Name = strings.Repeat("x", mostName+1) },
		"a taken name": func(s *wire.SignalSource) { s.Name = "siem" },
		"no issuer":    func(s *wire.SignalSource) { s.Issuer = "" },
		"http issuer":  func(s *wire.SignalSource) { s.Issuer = "http://edr.example" },
		"no keys":      func(s *wire.SignalSource) { s.Keys = nil },
		"empty keys":   func(s *wire.SignalSource) { s.Keys = []byte(`{"keys":[]}`) },
		"long life":    func(s *wire.SignalSource) { s.Life = mostLife + 1 },
		"negative":     func(s *wire.SignalSource) { s.Life = -1 },
		"domain":       func(s *wire.SignalSource) { s.Domains = []string{"moda"} },
		"at domain":    func(s *wire.SignalSource) { s.Domains = []string{"x@moda.gov.tw"} },
		"domains": func(s *wire.SignalSource) {
			s.Domains = strings.Split(strings.Repeat("a.tw,", mostDomains)+"a.tw", ",")
		},
	} {
		s := sound
		spoil(&s)
		var refused *InputError
		if _, _, err := w.AddSource(t.Context(), s, "uid:0"); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range mostSources - 1 {
		s := sound
		s.Name = "s" + string(rune('a'+i))
		_, _, err := w.AddSource(t.Context(), s, "uid:0")
		w.must(err)
	}
	if _, _, err := w.AddSource(t.Context(), sound, "uid:0"); err == nil {
		t.Error("one too many")
	}
	page, err := w.store.Scan(t.Context(), "/", "", 1000)
	w.must(err)
	for _, r := range page.Records {
		if strings.Contains(string(r.Value), w.siem.secret) {
			t.Error("a secret is in the store:", r.Key)
		}
	}
}
