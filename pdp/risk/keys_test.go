package risk

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/signals"
)

// publisher is a source's server that publishes its keys.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   []byte
	reads  int
}

func (w *world) publishes(key *rsa.PrivateKey) *publisher {
	w.t.Helper()
	p := &publisher{status: http.StatusOK, body: w.jwks(key)}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reads++
		if r.URL.Path == "/moved" {
			http.Redirect(out, r, "/jwks", http.StatusFound)
			return
		}
		out.WriteHeader(p.status)
		_, _ = out.Write(p.body)
	}))
	w.t.Cleanup(p.Close)
	return p
}

func (p *publisher) now(status int, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads
}

// publishing is a world with a source whose keys are published.
func publishing(t *testing.T) (*world, *publisher) {
	t.Helper()
	w := newWorld(t)
	p := w.publishes(w.siem.key)
	w.http = p.Client()
	w.http.CheckRedirect = signals.NewClient(nil).CheckRedirect
	w.crash()
	var err error
	w.siem.record, w.siem.secret, err = w.AddSource(t.Context(), wire.SignalSource{Agency: "moda", Name: "edr", Issuer: issuer, KeysURL: p.URL + "/jwks"}, "uid:0")
	w.must(err)
	return w, p
}

// verifies sends a token under a key and wants the status.
func (w *world) verifies(key *rsa.PrivateKey, want int) {
	w.t.Helper()
	payload := w.set(kindVerification, members{"state": "x"}, user("stream-1"), nil)
	raw, err := json.Marshal(payload)
	w.must(err)
	if got, body := w.send(w.siem.secret, w.sign(key, "k", "secevent+jwt", raw)); got != want {
		w.t.Errorf("%d %s, want %d", got, body, want)
	}
}

func TestPublishedKeysAreReadAnew(t *testing.T) {
	w, p := publishing(t)
	w.verifies(w.siem.key, http.StatusAccepted)
	w.verifies(w.siem.key, http.StatusAccepted)
	if n := p.count(); n != 1 {
		t.Errorf("read %d times", n)
	}
	// Another key, which is published: known after a minute, not before.
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	p.now(http.StatusOK, w.jwks(other))
	w.verifies(other, http.StatusBadRequest)
	w.verifies(other, http.StatusBadRequest)
	if n := p.count(); n != 1 {
		t.Errorf("read %d times within a minute", n)
	}
	w.pass(tryEvery)
	w.verifies(other, http.StatusAccepted)
	// The first was withdrawn; whoever has it makes the source read once a minute.
	for range 3 {
		w.verifies(w.siem.key, http.StatusBadRequest)
	}
	if n := p.count(); n != 2 {
		t.Errorf("read %d times", n)
	}
	// Without a doubt they are read anew every quarter of an hour.
	w.pass(tryEvery)
	w.verifies(other, http.StatusAccepted)
	before := p.count()
	w.pass(refreshEvery - 1)
	w.verifies(other, http.StatusAccepted)
	if n := p.count(); n != before {
		t.Errorf("read %d times, %d before", n, before)
	}
	p.now(http.StatusOK, w.jwks(w.siem.key))
	w.pass(1)
	w.verifies(other, http.StatusBadRequest)
	w.verifies(w.siem.key, http.StatusAccepted)
}

// Keys that cannot be read anew count for a day, and then nothing does; nor
// after a start.
func TestKeysThatCannotBeReadEnd(t *testing.T) {
	w, p := publishing(t)
	for _, broken := range map[string]func(){
		"an error":     func() { p.now(http.StatusInternalServerError, w.jwks(w.siem.key)) },
		"no keys":      func() { p.now(http.StatusOK, []byte(`{"keys":[]}`)) },
		"no JSON":      func() { p.now(http.StatusOK, []byte(`<html>`)) },
		"too long":     func() { p.now(http.StatusOK, append(w.jwks(w.siem.key), make([]byte, maxKeys)...)) },
		"a redirect":   func() { p.now(http.StatusFound, nil) },
		"no such page": func() { p.now(http.StatusNotFound, nil) },
	} {
		broken()
		w.pass(refreshEvery)
		w.verifies(w.siem.key, http.StatusAccepted)
	}
	w.pass(lastFor)
	w.verifies(w.siem.key, http.StatusServiceUnavailable)
	w.pass(tryEvery)
	p.now(http.StatusOK, w.jwks(w.siem.key))
	w.verifies(w.siem.key, http.StatusAccepted)
	w.crash()
	w.verifies(w.siem.key, http.StatusAccepted)
	p.Close()
	w.crash()
	w.verifies(w.siem.key, http.StatusServiceUnavailable)
}

func TestAddressesOfKeysAreHeldToTheirBounds(t *testing.T) {
	w, p := publishing(t)
	for name, s := range map[string]wire.SignalSource{
		"in clear":    {KeysURL: "http://edr.example/jwks"},
		"no host":     {KeysURL: "https:///jwks"},
		"a user":      {KeysURL: "https://a:b@edr.example/jwks"},
		"a fragment":  {KeysURL: p.URL + "/jwks#x"},
		"a file":      {KeysURL: "file:///etc/passwd"},
		"too long":    {KeysURL: p.URL + "/" + string(make([]byte, mostAddress))},
		"a redirect":  {KeysURL: p.URL + "/moved"},
		"nobody":      {KeysURL: "https://127.0.0.1:1/jwks"},
		"a file, too": {KeysURL: p.URL + "/jwks", Keys: w.jwks(w.siem.key)},
	} {
		s.Agency, s.Name, s.Issuer, s.Life = "moda", "another", issuer, 1
		var refused *InputError
		if _, _, err := w.AddSource(t.Context(), s, "uid:0"); !errors.As(err, &refused) || refused.Reason().Code != reason.CfgSourceKeysURL {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A certificate that nobody vouches for.
	w.Listener.HTTP = signals.NewClient(nil)
	var refused *InputError
	if _, _, err := w.AddSource(t.Context(), wire.SignalSource{Agency: "moda", Name: "another", Issuer: issuer, Life: 1, KeysURL: p.URL + "/jwks"}, "uid:0"); !errors.As(err, &refused) {
		t.Error(err)
	}
}
