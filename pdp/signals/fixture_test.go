package signals

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/token"
	"github.com/menshen-zt/menshen/test/ssf"
)

// keysDir holds the agencies' keys for all tests: drawing RSA keys takes long.
var keysDir = filepath.Join(os.TempDir(), "menshen-signals-"+strconv.Itoa(os.Getpid()))

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(keysDir)
	os.Exit(code)
}

// world is a transmitter on a real store with real keys and names, served over
// TLS; the test says how sessions and devices stand.
type world struct {
	t      *testing.T
	path   string
	limits Limits
	origin string
	server *httptest.Server
	roots  *x509.CertPool
	keys   *token.Issuer
	box    *seal.Box

	store *bolt.Store
	names *directory.Directory
	tx    *Transmitter
	stop  func()

	mu        sync.Mutex
	now       time.Time
	sessions  map[string]Session
	scores    map[string]int
	standings map[string]wire.DeviceStanding
	records   []wire.AuditRecord
	logErr    error
	storeErr  error
	during    func() // is called in each transaction
}

func newWorld(t *testing.T, change func(*Limits)) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "store.db"), limits: DefaultLimits(), now: time.Now(),
		sessions: map[string]Session{}, scores: map[string]int{}, standings: map[string]wire.DeviceStanding{}}
	w.limits.Retry, w.limits.RetryMost, w.limits.Verification = time.Millisecond, 5*time.Millisecond, 0
	if change != nil {
		change(&w.limits)
	}
	w.box = seal.New([32]byte{1})
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler().ServeHTTP(rw, r) }))
	w.origin = "https://" + w.server.Listener.Addr().String()
	w.server.StartTLS()
	w.roots = x509.NewCertPool()
	w.roots.AddCert(w.server.Certificate())
	t.Cleanup(w.server.Close)
	w.open()
	t.Cleanup(func() { w.stop(); _ = w.store.Close(); _ = w.keys.Close() })
	for _, id := range []string{"moda", "nstc"} {
		_, err := w.names.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "機關", NameEN: "Agency"})
		w.must(err)
		w.must(w.keys.Ensure(id))
	}
	return w
}

func (w *world) handler() http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	mux := http.NewServeMux()
	mux.Handle("/", w.tx.Handler())
	mux.Handle("/a/{agency}/jwks.json", w.keys.Handler())
	return mux
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.store, err = bolt.Open(w.path, bolt.Options{})
	w.must(err)
	w.names = directory.New(w.store, time.Now, rand.Reader)
	if w.keys == nil {
		w.keys, err = token.New(token.Config{Dir: keysDir, Origin: w.origin, Agencies: w.names, Clock: time.Now, Random: rand.Reader})
		w.must(err)
	}
	tx, err := New(w.t.Context(), Config{
		Store: faulty{w.store, w}, Signer: w.keys, Sealer: w.box, Recorder: w, Directory: w.names, Standing: w.standing, Session: w.session, Score: w.score,
		Clock: w.clock, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler), Origin: w.origin, Roots: w.roots, Limits: w.limits,
	})
	w.must(err)
	w.mu.Lock()
	w.tx = tx
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { tx.Run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done }
}

// crash loses what is in memory only, as kill -9 does, and starts anew.
func (w *world) crash() {
	w.t.Helper()
	w.stop()
	w.must(w.store.Close())
	w.open()
}

// faulty is the store while the test has it fail.
type faulty struct {
	*bolt.Store
	w *world
}

func (f faulty) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	f.w.mu.Lock()
	err, during := f.w.storeErr, f.w.during
	f.w.mu.Unlock()
	if during != nil {
		during()
	}
	if err != nil {
		return 0, err
	}
	return f.Store.Txn(ctx, conditions, ops)
}

func (w *world) breakStore(err error) { w.mu.Lock(); w.storeErr = err; w.mu.Unlock() }

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) { w.mu.Lock(); w.now = w.now.Add(d); w.mu.Unlock() }

func (w *world) session(id string) (Session, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.sessions[id]
	return s, known
}

func (w *world) score(id string) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, known := w.scores[id]
	return s, known
}

func (w *world) standing(id string) wire.DeviceStanding {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.standings[id]
}

// Append implements Recorder.
func (w *world) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logErr != nil {
		return 0, w.logErr
	}
	w.records = append(w.records, r)
	return uint64(len(w.records)), nil
}

// recorded returns the audit records that tell of what.
func (w *world) recorded(what string) (all []map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		var detail map[string]string
		if r.Kind != wire.AuditSignal || json.Unmarshal(r.Detail, &detail) != nil {
			w.t.Errorf("record %+v", r)
		}
		if detail["event"] == what {
			detail["agency"] = r.Agency
			all = append(all, detail)
		}
	}
	return all
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) person(agency, account string) wire.Person {
	w.t.Helper()
	p, err := w.names.CreatePerson(w.t.Context(), wire.Person{Agency: agency, Account: account, Name: account})
	w.must(err)
	return p
}

func (w *world) device(agency, name string) wire.Device {
	w.t.Helper()
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	w.must(err)
	spki, ek := sha256.Sum256([]byte(name)), sha256.Sum256([]byte("ek "+name))
	d := wire.Device{ID: id, Agency: agency, Name: name, Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM, EKDigest: ek[:],
		AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: spki[:], EnrolledAt: time.Now().UTC()}
	w.must(w.names.AddDevice(w.t.Context(), d, "", nil, nil))
	return d
}

// live makes a session of a person, on a device, at a portal of an agency.
func (w *world) live(agency string, p wire.Person, d wire.Device) Session {
	w.t.Helper()
	id, err := wire.NewID(wire.PrefixSession, rand.Reader)
	w.must(err)
	s := Session{ID: id, Agency: agency, Person: p.ID, Device: d.ID}
	w.mu.Lock()
	w.sessions[id] = s
	w.mu.Unlock()
	return s
}

// somebody is a session wholly of one agency.
func (w *world) somebody(agency string) Session {
	w.t.Helper()
	var raw [4]byte
	_, _ = rand.Read(raw[:])
	name := "p" + string('a'+raw[0]%26) + string('a'+raw[1]%26) + string('a'+raw[2]%26) + string('a'+raw[3]%26)
	return w.live(agency, w.person(agency, name), w.device(agency, name))
}

// client is the specification's receiver, added to an agency.
func (w *world) client(agency, name string, push ...string) *ssf.Client {
	w.t.Helper()
	_, secret, err := w.tx.AddReceiver(w.t.Context(), wire.SignalReceiver{Agency: agency, Name: name, Push: push}, "uid:0")
	w.must(err)
	c, err := ssf.Discover(w.t.Context(), w.http(), w.origin+"/a/"+agency, secret)
	w.must(err)
	c.Now = w.clock
	return c
}

func (w *world) http() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}}}
}

func (w *world) create(c *ssf.Client, s ssf.Stream) ssf.Stream {
	w.t.Helper()
	out, err := c.Create(w.t.Context(), s)
	w.must(err)
	return out
}

// poll waits until the stream has something, acknowledges ack, and returns what came.
func (w *world) poll(c *ssf.Client, s ssf.Stream, ack ...string) map[string]ssf.Event {
	w.t.Helper()
	got, _, err := c.Poll(w.t.Context(), s, ssf.PollRequest{Ack: ack})
	w.must(err)
	return got
}

// one polls for exactly one event and acknowledges it.
func (w *world) one(c *ssf.Client, s ssf.Stream) ssf.Event {
	w.t.Helper()
	got := w.poll(c, s)
	if len(got) != 1 {
		w.t.Fatalf("%d events: %+v", len(got), got)
	}
	for id, e := range got {
		_, _, err := c.Poll(w.t.Context(), s, ssf.PollRequest{Ack: []string{id}, Immediate: true, Most: new(int)})
		w.must(err)
		return e
	}
	return ssf.Event{}
}

// inbox is a pushed receiver's TLS server whose certificate the PDP trusts.
func (w *world) inbox() (*ssf.Inbox, string) {
	w.t.Helper()
	box := ssf.NewInbox(nil)
	server := httptest.NewTLSServer(box)
	w.t.Cleanup(server.Close)
	return box, server.URL + "/events"
}

// pushed makes a receiver with one pushed stream.
func (w *world) pushed(agency, name string) (*ssf.Client, ssf.Stream, *ssf.Inbox) {
	w.t.Helper()
	box, at := w.inbox()
	c := w.client(agency, name, at)
	s := w.create(c, ssf.Stream{Delivery: &ssf.Delivery{Method: ssf.Push, Endpoint: at}})
	box.Take = func(compact string) (ssf.Event, error) { return c.Take(compact, s.Audience) }
	return c, s, box
}

func (w *world) revoke(s Session) {
	w.tx.SessionEnded(s, w.clock(), EndCause{Code: "ZT-SES-076", By: ByAdmin})
}

var errStore = errors.Join(store.ErrUnavailable, errors.New("on purpose"))
