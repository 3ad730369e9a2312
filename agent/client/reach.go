package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Reach looks whether the PDP at address answers under the CA, with a key made
// for this one question, and returns its clock minus this one. That the PDP
// does not know the key is as it should be.
func Reach(ctx context.Context, address string, ca *x509.Certificate, clock func() time.Time, random io.Reader) (skew time.Duration, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return 0, fmt.Errorf("client: %w", err)
	}
	c, err := newCaller(address, trust{ca: ca}, key, clock, random, nil)
	if err != nil {
		return 0, err
	}
	h := c.newHTTP(1, time.Second)
	defer h.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var answer wire.NonceAnswer
	err = c.call(ctx, h, http.MethodPost, "/v1/attest/nonce", struct{}{}, &answer)
	var e *Error
	if errors.As(err, &e) && e.Given != "" {
		err = nil
	}
	return time.Duration(c.skew.Load()), err
}
