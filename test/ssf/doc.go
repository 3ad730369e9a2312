// Package ssf is a receiver of security events, written from the specifications
// alone: OpenID Shared Signals Framework 1.0, CAEP 1.0 and its interoperability
// profile, RFC 8417, 8935, 8936, 9493, 7515 and 7517. It knows nothing of the
// transmitter that it tests and shares no code with it, so that what both
// misread would have to be misread twice.
package ssf
