package pdp

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/plugins/host"
	"github.com/menshen-zt/menshen/test/ssf"
)

// receiverVariable has this program be a receiver of events instead of its tests.
const receiverVariable = "MENSHEN_TEST_RECEIVER"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "plugin-launch" {
		os.Exit(host.Launch(os.Args[2:])) // plugins are launched by the program that hosts them
	}
	if os.Getenv(receiverVariable) == "" {
		os.Exit(m.Run())
	}
	if err := receive(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ticket is what a receiver is told by its operator.
type ticket struct{ Issuer, Secret, Address, CAs string }

// receive is a receiver's whole program: it says where it listens, is told where
// its transmitter is, makes a stream there, and says what comes.
func receive(in io.Reader, out io.Writer) error {
	box := ssf.NewInbox(nil)
	server := httptest.NewTLSServer(box)
	defer server.Close()
	say := json.NewEncoder(out)
	if err := say.Encode(server.URL + "/events"); err != nil {
		return err
	}
	var t ticket
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := ssf.Discover(ctx, webClient(t.Address, []byte(t.CAs)), t.Issuer, t.Secret)
	if err != nil {
		return err
	}
	s, err := c.Create(ctx, ssf.Stream{Delivery: &ssf.Delivery{Method: ssf.Push, Endpoint: server.URL + "/events"}})
	if err != nil {
		return err
	}
	box.Take = func(compact string) (ssf.Event, error) { return c.Take(compact, s.Audience) }
	if err := c.Verify(ctx, s.ID, "hello"); err != nil {
		return err
	}
	for got := range box.Got() {
		if got.Err != nil {
			return got.Err
		}
		if err := say.Encode(got.Event); err != nil {
			return err
		}
	}
	return nil
}

// webClient reaches the PDP's web listener under whatever name.
func webClient(address string, cas []byte) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cas)
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}}
}

const testOrigin = "https://example.com" // what the standard library's test certificate names

// listening is a whole PDP in this process: initialised, configured, with all its
// listeners.
type listening struct {
	*PDP
	t     *testing.T
	web   string
	cas   []byte
	admin *client.Client
}

// addresses reads the web listener's address out of the PDP's own log.
type addresses struct {
	slog.Handler
	web chan string
}

func (a addresses) Enabled(context.Context, slog.Level) bool { return true }
func (a addresses) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a addresses) WithGroup(string) slog.Handler            { return a }
func (a addresses) Handle(_ context.Context, r slog.Record) error {
	var port, address string
	r.Attrs(func(at slog.Attr) bool {
		switch at.Key {
		case "port":
			port = at.Value.String()
		case "address":
			address = at.Value.String()
		}
		return true
	})
	if r.Message == "listening" && port == "web" {
		a.web <- address
	}
	return nil
}

func listen(t *testing.T) *listening {
	t.Helper()
	dir, err := os.MkdirTemp("", "sig") // short: a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &listening{t: t}
	c := Default()
	c.Data, c.Admin.Socket, c.Web.Origin = filepath.Join(dir, "data"), filepath.Join(dir, "admin.sock"), testOrigin
	c.Web.Listen, c.Agents.Listen, c.Proxies.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Agents.Names, c.Proxies.Names = []string{"127.0.0.1"}, []string{"127.0.0.1"}
	c.Attestation.EndorsementCAs, c.Audit.ReserveMiB = filepath.Join(dir, "cas"), 1
	c.WebAuthn.PermitTestAuthenticators = true
	c.Web.Certificate, c.Web.Key, c.Signals.CAs = filepath.Join(dir, "web.pem"), filepath.Join(dir, "web.key"), filepath.Join(dir, "web.pem")
	l.must(os.Mkdir(c.Attestation.EndorsementCAs, 0o700))
	standard := httptest.NewTLSServer(nil) // for its certificate
	defer standard.Close()
	pair := standard.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	l.must(err)
	l.cas = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	l.must(errors.Join(os.WriteFile(c.Web.Certificate, l.cas, 0o600), os.WriteFile(c.Web.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)))
	_, err = Init(t.Context(), c, First{Agency: wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}, Account: "admin", Name: "Admin"})
	l.must(err)
	heard := addresses{web: make(chan string, 1)}
	l.PDP, err = New(t.Context(), c, "test", slog.New(heard))
	l.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case l.web = <-heard.web:
	case err := <-ended:
		ended <- err
		t.Fatal("the PDP ended:", err)
	}
	l.admin = client.New(c.Admin.Socket, reason.English)
	return l
}

func (l *listening) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// signIn is the session of a person at a portal; its proofs are as the ceremony
// would have handed them over.
func (l *listening) signIn() (wire.Person, string) {
	l.t.Helper()
	ctx := l.t.Context()
	p, err := l.names.CreatePerson(ctx, wire.Person{Agency: "moda", Name: "Wang", Account: "wang.xm"})
	l.must(err)
	portal, _, err := l.names.CreatePortal(ctx, wire.Portal{Agency: "moda", NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	l.must(err)
	now := time.Now()
	_, err = l.sessions.Create(ctx, portal, wire.Login{
		SignIn: wire.SignIn{PersonID: p.ID, At: now, AAL: 3}, Binding: wire.DeviceBinding{DeviceID: "dev-1", At: now}, Portal: portal.ID, ReturnPath: "/",
	}, netip.MustParseAddr("192.0.2.10"), [32]byte{})
	l.must(err)
	return p, l.sessions.Sessions(p.ID)[0].ID
}

// An administrator ends a session by the socket; a receiver in a process of its
// own, over TLS, is told whose session ended.
func TestARevokedSessionReachesAReceiver(t *testing.T) {
	l := listen(t)
	self, err := os.Executable()
	l.must(err)
	process := exec.CommandContext(t.Context(), self)
	process.Env, process.Stderr = append(os.Environ(), receiverVariable+"=1"), os.Stderr
	in, err := process.StdinPipe()
	l.must(err)
	out, err := process.StdoutPipe()
	l.must(err)
	l.must(process.Start())
	defer func() { _ = process.Process.Kill(); _ = process.Wait() }()
	lines := bufio.NewScanner(out)
	read := func(v any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("the receiver ended:", lines.Err())
		}
		l.must(json.Unmarshal(lines.Bytes(), v))
	}
	var at string
	read(&at)
	added, err := l.admin.AddReceiver(t.Context(), "moda", client.NewReceiver{Name: "siem", Push: []string{at}})
	l.must(err)
	l.must(json.NewEncoder(in).Encode(ticket{testOrigin + "/a/moda", added.Secret, l.web, string(l.cas)}))
	var e ssf.Event
	if read(&e); e.Type != ssf.FrameworkPrefix+"verification" || e.Text("state") != "hello" {
		t.Fatalf("%+v", e)
	}
	p, id := l.signIn()
	if _, err := l.admin.RevokeSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	e = ssf.Event{}
	if read(&e); e.Type != ssf.Prefix+"session-revoked" || e.Member("session") != id || e.Member("user") != testOrigin+"/a/moda "+p.ID || e.Text("initiating_entity") != "admin" {
		t.Fatalf("%+v", e)
	}
	all, err := l.admin.Receivers(t.Context(), "moda")
	if err != nil || len(all) != 1 || len(all[0].Streams) != 1 || all[0].Streams[0].Status != "enabled" {
		t.Errorf("%+v %v", all, err)
	}
}

// What a SIEM says of a person, over TLS, is a fact of that person's session at
// once, and the session is decided anew.
func TestAReportedRiskBecomesAFact(t *testing.T) {
	l := listen(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	l.must(err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	l.must(err)
	added, err := l.admin.AddSource(t.Context(), "moda", client.NewSource{Name: "siem", Issuer: "https://siem.example", Keys: keys, Domains: []string{"moda.gov.tw"}})
	l.must(err)
	p, _ := l.signIn()
	if f := l.risk.Facts(p.ID, ""); f.Person != "" {
		t.Fatalf("%+v", f)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("secevent+jwt"))
	l.must(err)
	claims, err := json.Marshal(map[string]any{
		"iss": "https://siem.example", "aud": testOrigin + "/a/moda", "jti": "1", "iat": time.Now().Unix(),
		"sub_id": map[string]string{"format": "email", "email": "wang.xm@moda.gov.tw"},
		"events": map[string]any{ssf.Prefix + "risk-level-change": map[string]string{"principal": "USER", "current_level": "HIGH"}},
	})
	l.must(err)
	signed, err := signer.Sign(claims)
	l.must(err)
	compact, err := signed.CompactSerialize()
	l.must(err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, testOrigin+"/a/moda/ssf/events", strings.NewReader(compact))
	l.must(err)
	request.Header.Set("Content-Type", "application/secevent+jwt")
	request.Header.Set("Authorization", "Bearer "+added.Secret)
	answer, err := webClient(l.web, l.cas).Do(request)
	l.must(err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Fatal(answer.Status)
	}
	portals, err := l.names.Portals(t.Context(), "moda")
	l.must(err)
	known, _, err := l.engine.Decide(t.Context(), session.Subject{SignIn: wire.SignIn{PersonID: p.ID, At: time.Now()}, Portal: portals[0].ID}, wire.ActionRead)
	if err != nil || known.Risk.Person != wire.RiskHigh || known.Risk.ChangesAt.IsZero() {
		t.Fatalf("%+v %v", known.Risk, err)
	}
}
