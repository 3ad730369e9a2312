package client

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Error is a failure with the reason that a person is told.
type Error struct {
	why wire.Reason
	// Given is the PDP's own code, if it gave one.
	Given string
	cause error
}

// Reason returns what a person is told.
func (e *Error) Reason() wire.Reason { return e.why }

// Error implements error.
func (e *Error) Error() string {
	text := "client: " + e.why.Code
	if e.Given != "" {
		text += " (" + e.Given + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// odd reports an answer that breaks the protocol.
func odd(format string, args ...any) error {
	return &Error{why: reason.New(reason.PDPAnswerOdd), cause: fmt.Errorf(format, args...)}
}

// signingError is the TPM's failure to sign a handshake. It stays an error of
// its own, so that the TPM's sentinel errors can be matched.
type signingError struct{ cause error }

func (e *signingError) Error() string { return "client: signing the handshake: " + e.cause.Error() }
func (e *signingError) Unwrap() error { return e.cause }

// transportError gives a failed round trip its reason.
func (c *caller) transportError(err error) error {
	if failed := c.signer.take(); failed != nil {
		return &signingError{failed}
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		if c.clock().Before(invalid.Cert.NotBefore) {
			return &Error{why: reason.New(reason.AgentClockWrong), cause: err}
		}
		return &Error{why: reason.New(reason.PDPCertificateOld, "address", c.address), cause: err}
	}
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	if errors.As(err, &invalid) || errors.As(err, &authority) || errors.As(err, &hostname) || errors.Is(err, errNotPinned) {
		return &Error{why: reason.New(reason.PDPWrongCA, "address", c.address), cause: err}
	}
	return &Error{why: reason.New(reason.PDPUnreachable, "address", c.address), cause: err}
}

var codeShape = regexp.MustCompile(`^ZT-[A-Z]{3}-[0-9]{3}$`)

// refusal gives a problem document its reason.
func refusal(status int, d problem.Document) error {
	given := d.Code
	if !codeShape.MatchString(given) {
		given = "HTTP " + http.StatusText(status)
	}
	e := &Error{Given: given, cause: fmt.Errorf("status %d: %s", status, shown(d.Detail+" "+d.Do))}
	switch {
	case given == reason.DeviceUnknown || given == reason.DeviceWaiting || given == reason.DeviceWaitingSoftware || given == reason.DeviceRetired:
		e.why = reason.New(reason.AgentDeviceUnknown, "code_given", given)
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		e.why = reason.New(reason.PDPBusy)
	default:
		e.why = reason.New(reason.PDPRefused, "code_given", given)
	}
	return e
}

// shown is the PDP's own words, fit for a terminal.
func shown(text string) string {
	const most = 500 // runes
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > most {
			return -1
		}
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, text)
}

// wantsNewNonce tells refusals that another nonce mends: the connection
// changed under way, the answer came late, or the PDP restarted.
func wantsNewNonce(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Given {
	case reason.NonceChannel, reason.NonceExpired, reason.NonceForged, reason.NonceSpent:
		return true
	}
	return false
}

// connectionLost tells that the connection broke under way.
func connectionLost(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.why.Code == reason.PDPUnreachable
}
