package signals

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

var errAddress = errors.New("signals: an address that is never pushed to")

// NewClient returns the client that pushes events, and reads what an
// administrator names by its address. It verifies certificates,
// follows nothing, knows no proxy, and connects neither to this machine nor to
// the link it is on, whatever a name resolves to, unless an administrator wrote
// that very address.
func NewClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: pushTimeout,
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    mostStreams,
			IdleConnTimeout:        time.Minute,
			ResponseHeaderTimeout:  pushTimeout,
			TLSHandshakeTimeout:    pushTimeout,
			MaxResponseHeaderBytes: maxBody,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: pushTimeout}
	if host, _, err := net.SplitHostPort(address); err != nil || !isAddress(host) {
		d.Control = refuseLocal
	}
	return d.DialContext(ctx, network, address)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// refuseLocal is asked with the address that a name was resolved to.
func refuseLocal(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddress
	}
	a := at.Addr().Unmap()
	if a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return errAddress
	}
	return nil
}
