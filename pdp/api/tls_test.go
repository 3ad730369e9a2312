package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// dial makes a request over TLS and says how the connection ended.
func (f *fixture) dial(t *testing.T, c *tls.Config) error {
	t.Helper()
	conn, err := tls.Dial("tcp", f.address, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/poll HTTP/1.1\r\nHost: pdp\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	// In TLS 1.3 the server's refusal of the client comes after the handshake.
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) == 0 {
		return errors.New("closed")
	}
	return err
}

func TestConnectionsThatAreRefused(t *testing.T) {
	f := newFixture(t)
	p256 := newKey(t, elliptic.P256())
	good := certify(t, p256, nil)
	if err := f.dial(t, clientConfig(good)); err != nil {
		t.Fatalf("an agent is refused: %v", err)
	}

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign := certify(t, p256, newKey(t, elliptic.P256())) // signed by a key that it does not hold
	chain := good
	chain.Certificate = append(chain.Certificate, certify(t, newKey(t, elliptic.P256()), nil).Certificate...)
	thief := good // somebody's certificate without its key
	thief.PrivateKey = newKey(t, elliptic.P256())
	broken := good
	broken.Certificate = [][]byte{append([]byte(nil), good.Certificate[0]...)}
	broken.Certificate[0][len(broken.Certificate[0])-1] ^= 1

	large := certify(t, p256, nil, strings.Repeat("a", maxCertificate))

	for name, certificate := range map[string]tls.Certificate{
		"too large":         large,
		"no certificate":    {},
		"P-384":             certify(t, newKey(t, elliptic.P384()), nil),
		"RSA":               certify(t, rsaKey, nil),
		"not self-signed":   foreign,
		"broken signature":  broken,
		"two certificates":  chain,
		"no proof of a key": thief,
	} {
		c := clientConfig(certificate)
		if name == "no certificate" {
			c.Certificates = nil
		}
		if err := f.dial(t, c); err == nil {
			t.Errorf("%s: served", name)
		}
	}
	old := clientConfig(good)
	old.MaxVersion = tls.VersionTLS12
	if err := f.dial(t, old); err == nil {
		t.Error("TLS 1.2 is served")
	}
}

// Two checks ask for a certificate; neither may lean on the other.
func TestACertificateIsAskedForTwice(t *testing.T) {
	c := TLSConfig(nil)
	if c.ClientAuth != tls.RequireAnyClientCert || c.VerifyConnection(tls.ConnectionState{}) == nil {
		t.Error("one of the two is missing")
	}
}

func TestNothingIsResumed(t *testing.T) {
	f := newFixture(t)
	c := clientConfig(certify(t, newKey(t, elliptic.P256()), nil, "valid")) // what is over is not resumed anyway
	for range 2 {
		conn, err := tls.Dial("tcp", f.address, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatal(err)
		}
		if state := conn.ConnectionState(); state.DidResume || state.NegotiatedProtocol == "h2" {
			t.Errorf("resumed %v, protocol %q", state.DidResume, state.NegotiatedProtocol)
		}
		_ = conn.Close()
	}
}

func TestAHandlerWithoutTLSServesNobody(t *testing.T) {
	f := newFixture(t)
	for path, method := range closedRoutes {
		r, err := http.NewRequestWithContext(t.Context(), method, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &recorder{header: http.Header{}}
		f.ServeHTTP(w, r)
		if w.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, w.status)
		}
	}
	if f.behind.count() != 0 {
		t.Error("something was reached")
	}
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// Two devices with the same everything but the key are two devices.
func TestTheKeyAloneIsTheDevice(t *testing.T) {
	f := newFixture(t)
	key := newKey(t, elliptic.P256())
	first := f.agentWith(t, certify(t, key, nil))
	f.is(first, wire.DeviceActive)
	renewed := f.agentWith(t, certify(t, key, nil)) // another certificate, the same key
	wants(t, renewed.post(t, "/v1/attest/nonce", struct{}{}), http.StatusOK, "")
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		t.Fatal("not an ECDSA key")
	}
	other := f.agent(t)
	wants(t, other.post(t, "/v1/attest/nonce", struct{}{}), http.StatusForbidden, reason.DeviceUnknown)
}
