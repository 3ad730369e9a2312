package ceremony

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

const (
	testOrigin = "https://pdp.test"
	testRPID   = "pdp.test"
)

// recorder keeps audit records, and fails where a test says so.
type recorder struct {
	mu      sync.Mutex
	records []wire.AuditRecord
	full    bool
}

func (r *recorder) Append(_ context.Context, record wire.AuditRecord) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return 0, errors.New("disk full")
	}
	r.records = append(r.records, record)
	return uint64(len(r.records)), nil
}

// outcomes returns "<kind> <outcome> [<code>]" of each record, in order.
func (r *recorder) outcomes(t testing.TB) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, record := range r.records {
		var detail struct {
			Outcome string `json:"outcome"`
			Code    string `json:"code"`
		}
		if err := json.Unmarshal(record.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(string(record.Kind)+" "+detail.Outcome+" "+detail.Code))
	}
	return all
}

// house is a whole ceremony with the real store, directory and seal.
type house struct {
	*Ceremony
	t         *testing.T
	config    Config
	path      string
	db        *bolt.Store
	box       *seal.Box
	directory *directory.Directory
	recorder  *recorder
	maker     *maker
	now       time.Time
	person    wire.Person
	portal    wire.Portal
}

func newHouse(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	m := newMaker(t)
	mds := newBlob(t, m.entry())
	h := &house{
		t: t, maker: m, recorder: new(recorder), now: time.Now().UTC().Truncate(time.Second), box: seal.New([32]byte{1}),
		path: filepath.Join(t.TempDir(), "state.db"),
	}
	file := filepath.Join(t.TempDir(), "mds.jwt")
	if err := os.WriteFile(file, mds.sign(t), 0o600); err != nil {
		t.Fatal(err)
	}
	h.config = Config{
		Origin: testOrigin, Sealer: h.box, Recorder: h.recorder, Random: rand.Reader,
		Clock: func() time.Time { return h.now }, Logger: slog.New(slog.DiscardHandler), MDSFile: file, MDSRoot: mds.root,
	}
	for _, f := range change {
		f(&h.config)
	}
	h.open()
	t.Cleanup(func() { _ = h.db.Close() })
	ctx := t.Context()
	if _, err := h.directory.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "MODA"}); err != nil {
		t.Fatal(err)
	}
	h.person = h.newPerson("wang.xm")
	var err error
	h.portal, _, err = h.directory.CreatePortal(ctx, wire.Portal{
		Agency: "moda", NameZH: "人事資料系統", NameEN: "HR records", Origin: "https://hr.test", Sensitivity: wire.PortalNormal,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// open opens the store and builds the ceremony on it.
func (h *house) open() {
	h.t.Helper()
	var err error
	if h.db, err = bolt.Open(h.path, bolt.Options{}); err != nil {
		h.t.Fatal(err)
	}
	h.directory = directory.New(h.db, h.config.Clock, rand.Reader)
	h.config.Store, h.config.Directory = h.db, h.directory
	if h.Ceremony, err = New(h.config); err != nil {
		h.t.Fatal(err)
	}
}

// restart closes everything and opens it again on the same file.
func (h *house) restart() {
	h.t.Helper()
	if err := h.db.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *house) newPerson(account string) wire.Person {
	h.t.Helper()
	p, err := h.directory.CreatePerson(h.t.Context(), wire.Person{Agency: "moda", Name: "王小明", Account: account})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) pass(d time.Duration) { h.now = h.now.Add(d) }

// connection is a recorder with the read deadline that a server's writer has.
type connection struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func newConnection() *connection { return &connection{ResponseRecorder: httptest.NewRecorder()} }

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

// browser keeps cookies and asks the ceremony as the PDP's own page would.
type browser struct {
	h       *house
	cookies map[string]string
	address string
	headers map[string]string
}

func (h *house) browser() *browser {
	return &browser{h: h, cookies: map[string]string{}, address: "192.0.2.10:40000", headers: map[string]string{"Origin": testOrigin, "Sec-Fetch-Site": "same-origin"}}
}

// post sends v and decodes a good answer into answer. It returns the status
// and, of a refusal, the code.
func (b *browser) post(path string, v, answer any) (int, string) {
	b.h.t.Helper()
	raw, ok := v.(string)
	if !ok {
		encoded, err := json.Marshal(v)
		if err != nil {
			b.h.t.Fatal(err)
		}
		raw = string(encoded)
	}
	r := httptest.NewRequest(http.MethodPost, testOrigin+path, strings.NewReader(raw))
	r.RemoteAddr = b.address
	r.Header.Set("Content-Type", "application/json")
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}
	w := newConnection()
	b.h.Handler().ServeHTTP(w, r)
	result := w.Result()
	for _, c := range result.Cookies() {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(c.Name, "__Host-") {
			b.h.t.Errorf("%s: cookie %s is loose: %v", path, c.Name, c)
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	body, err := io.ReadAll(result.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	if result.StatusCode != http.StatusOK {
		var document problem.Document
		if err := json.Unmarshal(body, &document); err != nil {
			b.h.t.Fatalf("%s: %d %q is not a problem document", path, result.StatusCode, body)
		}
		return result.StatusCode, document.Code
	}
	if answer != nil {
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(answer); err != nil {
			b.h.t.Fatal(err)
		}
	}
	return result.StatusCode, ""
}

// link returns the secret of a new registration link.
func (h *house) link(person wire.Person) string {
	h.t.Helper()
	address, err := h.NewLink(h.t.Context(), person.ID, time.Hour)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, ok := strings.CutPrefix(address, testOrigin+"/register#")
	if !ok {
		h.t.Fatalf("link %q", address)
	}
	return secret
}

// options are the members that the tests read of either kind.
type options struct {
	Challenge        string `json:"challenge"`
	UserVerification string `json:"userVerification"`
	Attestation      string `json:"attestation"`
	Selection        struct {
		UserVerification string `json:"userVerification"`
		ResidentKey      string `json:"residentKey"`
		Attachment       string `json:"authenticatorAttachment"`
	} `json:"authenticatorSelection"`
	Allow []any `json:"allowCredentials"`
	User  struct {
		ID string `json:"id"`
	} `json:"user"`
	Exclude []struct {
		ID string `json:"id"`
	} `json:"excludeCredentials"`
}

type registerStarted struct {
	Options options `json:"options"`
	Person  string  `json:"person"`
	Keys    int     `json:"keys"`
}

// register registers a key with the test's changes and returns the outcome.
func (h *house) registerKey(person wire.Person, key *softKey, change func(*forgery)) (registerFinishAnswer, int, string) {
	h.t.Helper()
	b := h.browser()
	var started registerStarted
	if status, code := b.post("/ceremony/register/start", registerStartRequest{Secret: h.link(person)}, &started); status != http.StatusOK {
		h.t.Fatalf("register/start: %d %s", status, code)
	}
	var done registerFinishAnswer
	status, code := b.post("/ceremony/register/finish",
		registerFinishRequest{Nickname: "藍色金鑰", Credential: key.create(h.t, started.Options.Challenge, person.Handle, change)}, &done)
	return done, status, code
}

// keyOf registers an honest key for a person.
func (h *house) keyOf(person wire.Person) *softKey {
	h.t.Helper()
	key := h.maker.newKey(h.t)
	if _, status, code := h.registerKey(person, key, nil); status != http.StatusOK {
		h.t.Fatalf("registration: %d %s", status, code)
	}
	return key
}

// preCookie is a pre-session cookie's value of a portal's host.
const preCookie = "pre-cookie-of-this-browser"

func preHash() [sha256.Size]byte { return sha256.Sum256([]byte(preCookie)) }

func (h *house) handle(change func(*wire.StartHandle)) string {
	h.t.Helper()
	hash := preHash()
	handle := wire.StartHandle{Portal: h.portal.ID, ReturnPath: "/leave?week=47", PreCookieHash: hash[:], Network: "192.0.2.0/24"}
	if change != nil {
		change(&handle)
	}
	text, err := h.box.Seal(wire.PurposeStartHandle, h.now.Add(wire.StartHandleLife), handle)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

type started struct {
	KeyNeeded   bool    `json:"key_needed"`
	Options     options `json:"options"`
	Person      string  `json:"person"`
	DeviceNonce string  `json:"device_nonce"`
	AgentPort   int     `json:"agent_port"`
	ExpiresIn   int     `json:"expires_in_seconds"`
}

func (b *browser) start(handle string) started {
	b.h.t.Helper()
	var s started
	if status, code := b.post("/ceremony/sign-in/start", startRequest{Handle: handle}, &s); status != http.StatusOK {
		b.h.t.Fatalf("sign-in/start: %d %s", status, code)
	}
	return s
}

// touch starts a sign-in and proves the key.
func (b *browser) touch(handle string, key *softKey) started {
	b.h.t.Helper()
	s := b.start(handle)
	if status, code := b.post("/ceremony/sign-in/key", key.get(b.h.t, s.Options.Challenge, nil), nil); status != http.StatusOK {
		b.h.t.Fatalf("sign-in/key: %d %s", status, code)
	}
	return s
}

const laptop = "dev-00000000000000000000000000"

// confirm is the laptop's agent confirming a nonce; it returns the return code.
func (h *house) confirm(nonce string) string {
	h.t.Helper()
	code := make([]byte, 32)
	_, _ = rand.Read(code)
	err := h.Confirm(h.t.Context(), laptop, wire.DeviceConfirmation{Nonce: nonce, ReturnCode: code, Seat: wire.SeatActive, Way: wire.BindingFetch}, "192.0.2.0/24")
	if err != nil {
		h.t.Fatal(err)
	}
	return encode(code)
}

// finish proves the device and returns the login code.
func (b *browser) finish(handle, returnCode string) string {
	b.h.t.Helper()
	var answer deviceAnswer
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: returnCode}, &answer); status != http.StatusOK {
		b.h.t.Fatalf("sign-in/device: %d %s", status, code)
	}
	code, ok := strings.CutPrefix(answer.Redirect, b.h.portal.Origin+"/.menshen/callback?code=")
	if !ok {
		b.h.t.Fatalf("redirect %q", answer.Redirect)
	}
	return code
}

// count returns how many records the store holds of a kind.
func (h *house) count(kind string) int {
	h.t.Helper()
	page, err := h.db.Scan(h.t.Context(), store.Prefix(kind, ""), "", 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return len(page.Records)
}
