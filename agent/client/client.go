package client

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Config says which PDP to call and with which key. Every member is needed.
type Config struct {
	Address string // host:port of the agents' port
	CA      *x509.Certificate
	Key     crypto.Signer // the device's TLS key
	Clock   func() time.Time
	Random  io.Reader
}

// Client calls the PDP as an enrolled device. It is safe for concurrent use.
type Client struct {
	caller *caller
	// channel has one connection, for a nonce and its Evidence.
	channel *http.Client
	// attesting keeps one exchange on the channel at a time.
	attesting chan struct{}
	// standing carries the long poll and confirmations.
	standing *http.Client

	mu   sync.Mutex
	drop context.CancelFunc // ends the poll under way
}

// Connections close when they were idle this long. An attestation on a posture
// change often follows another closely; the next regular one is minutes away
// and need not hold the PDP's memory.
const channelIdle = 15 * time.Second

// New returns a Client. The key signs once, for the device's certificate.
func New(c Config) (*Client, error) {
	if c.CA == nil || c.Key == nil || c.Clock == nil || c.Random == nil {
		return nil, fmt.Errorf("client: incomplete configuration")
	}
	caller, err := newCaller(c.Address, trust{ca: c.CA}, c.Key, c.Clock, c.Random, nil)
	if err != nil {
		return nil, err
	}
	return &Client{
		caller: caller, attesting: make(chan struct{}, 1),
		channel: caller.newHTTP(1, channelIdle), standing: caller.newHTTP(2, 2*wire.PollLife),
	}, nil
}

// Close ends all connections.
func (c *Client) Close() {
	c.Reconnect()
}

// Reconnect drops the connections and the poll under way, which Stand then
// takes up again at once: the network changed, or the machine slept.
func (c *Client) Reconnect() {
	c.mu.Lock()
	if c.drop != nil {
		c.drop()
	}
	c.mu.Unlock()
	c.channel.CloseIdleConnections()
	c.standing.CloseIdleConnections()
}

// Skew returns the PDP's clock minus this machine's, as of the last answer;
// false before the first. It is good to about a second.
func (c *Client) Skew() (time.Duration, bool) {
	return time.Duration(c.caller.skew.Load()), c.caller.heard.Load()
}

// Measure makes the Evidence for one nonce.
type Measure func(nonce [wire.NonceSize]byte) (wire.Evidence, error)

// nonceTries is how often an exchange begins again with a new nonce.
const nonceTries = 3

// Attest fetches a nonce, has it measured, and sends the Evidence over the same
// connection. When the PDP asks for another nonce, because the connection
// changed under way, it begins again.
func (c *Client) Attest(ctx context.Context, measure Measure) (wire.AttestAnswer, error) {
	select {
	case c.attesting <- struct{}{}:
		defer func() { <-c.attesting }()
	case <-ctx.Done():
		return wire.AttestAnswer{}, ctx.Err()
	}
	var answer wire.AttestAnswer
	var err error
	for range nonceTries {
		var measured bool
		answer, measured, err = c.attestOnce(ctx, measure)
		if !wantsNewNonce(err) && !(measured && connectionLost(err)) {
			break
		}
	}
	return answer, err
}

// attestOnce is one exchange; measured says that it came as far as Evidence.
func (c *Client) attestOnce(ctx context.Context, measure Measure) (answer wire.AttestAnswer, measured bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(wire.NonceLife, 2*requestTime))
	defer cancel()
	var asked wire.NonceAnswer
	if err := c.caller.call(ctx, c.channel, http.MethodPost, "/v1/attest/nonce", struct{}{}, &asked); err != nil {
		return answer, false, err
	}
	if len(asked.Nonce) != wire.NonceSize || asked.Ticket == "" {
		return answer, false, odd("a nonce of %d bytes", len(asked.Nonce))
	}
	evidence, err := measure([wire.NonceSize]byte(asked.Nonce))
	if err != nil {
		return answer, false, err
	}
	err = c.caller.call(ctx, c.channel, http.MethodPost, "/v1/attest", wire.AttestRequest{Ticket: asked.Ticket, Evidence: evidence}, &answer)
	return answer, true, err
}

// SendInventory sends the exact bytes of an inventory whose digest the claims
// named.
func (c *Client) SendInventory(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var answer wire.InventoryTaken
	if err := c.caller.call(ctx, c.standing, http.MethodPost, "/v1/inventory", wire.InventoryReport{Inventory: raw}, &answer); err != nil {
		return err
	}
	if digest := sha256.Sum256(raw); !bytes.Equal(answer.Digest, digest[:]) {
		return odd("an inventory that arrived otherwise than it was sent")
	}
	return nil
}

// ReportRemedy tells the PDP how the remedy ended that a command asked for.
func (c *Client) ReportRemedy(ctx context.Context, in wire.RemedyReport) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var answer wire.RemedyTaken
	if err := c.caller.call(ctx, c.standing, http.MethodPost, "/v1/remedy", in, &answer); err != nil {
		return err
	}
	if !answer.Accepted {
		return odd("a report that was neither accepted nor refused")
	}
	return nil
}

// Confirm tells the PDP that a browser on this laptop holds a ceremony's nonce.
func (c *Client) Confirm(ctx context.Context, confirmation wire.DeviceConfirmation) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var answer wire.DeviceConfirmed
	if err := c.caller.call(ctx, c.standing, http.MethodPost, "/v1/confirm", confirmation, &answer); err != nil {
		return err
	}
	if !answer.Accepted {
		return odd("a confirmation that was neither accepted nor refused")
	}
	return nil
}
