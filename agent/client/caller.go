package client

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/strictjson"
)

// Bounds of connections and answers.
const (
	dialTime      = 10 * time.Second
	handshakeTime = 15 * time.Second // a discrete TPM signs in up to a second
	requestTime   = 30 * time.Second
	maxAnswer     = 256 << 10
	maxProblem    = 64 << 10
)

// caller makes requests to one PDP with one key.
type caller struct {
	address string
	host    string
	clock   func() time.Time
	// language is what the PDP's own words should be in.
	language string
	signer   *watchedSigner
	config   func() *http.Transport
	// skew is the PDP's clock minus this one, as of the last answer.
	skew  atomic.Int64
	heard atomic.Bool
}

func newCaller(address string, t trust, key crypto.Signer, clock func() time.Time, random io.Reader, learnt func(*x509.Certificate)) (*caller, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("client: the PDP's address %q is not host:port", address)
	}
	c := &caller{address: address, host: host, clock: clock, language: "en", signer: &watchedSigner{Signer: key}}
	certificate, err := selfSigned(c.signer, random)
	if err != nil {
		return nil, err
	}
	c.config = func() *http.Transport {
		return &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTime, KeepAlive: dialTime}).DialContext,
			TLSClientConfig:     tlsConfig(host, t, certificate, clock, learnt),
			TLSHandshakeTimeout: handshakeTime,
			DisableCompression:  true,
			// HTTP/1.1 alone: "one connection" then means what it says.
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}
	}
	return c, nil
}

// newHTTP returns an HTTP client with at most conns connections, which close
// after idle.
func (c *caller) newHTTP(conns int, idle time.Duration) *http.Client {
	transport := c.config()
	transport.MaxConnsPerHost = conns
	transport.MaxIdleConnsPerHost = max(conns, 1)
	transport.IdleConnTimeout = idle
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call sends in, if it is not nil, and decodes the answer into out.
func (c *caller) call(ctx context.Context, h *http.Client, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("client: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://"+c.address+path, body)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept-Language", c.language)
	answer, err := h.Do(r)
	if err != nil {
		return c.transportError(err)
	}
	defer func() { _ = answer.Body.Close() }()
	c.noteClock(answer.Header.Get("Date"))
	return c.decode(answer, out)
}

func (c *caller) decode(answer *http.Response, out any) error {
	media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode == http.StatusOK && err == nil && media == "application/json":
		if err := strictjson.Decode(answer.Body, maxAnswer, out); err != nil {
			return odd("%w", err)
		}
		return nil
	case answer.StatusCode >= 400 && err == nil && media == "application/problem+json":
		raw, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
		if err != nil {
			return c.transportError(err)
		}
		// RFC 9457, 3.2: members that are not known are left out.
		var d problem.Document
		if err := json.Unmarshal(raw, &d); err != nil {
			return odd("a problem document: %w", err)
		}
		return refusal(answer.StatusCode, d)
	}
	return odd("status %d with content type %.60q", answer.StatusCode, answer.Header.Get("Content-Type"))
}

// noteClock compares the PDP's clock with this one (RFC 9110, 6.6.1).
func (c *caller) noteClock(date string) {
	if at, err := http.ParseTime(date); err == nil {
		c.skew.Store(int64(at.Sub(c.clock())))
		c.heard.Store(true)
	}
}
