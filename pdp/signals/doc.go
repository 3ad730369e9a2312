// Package signals is an OpenID Shared Signals Framework 1.0 transmitter of four
// events of OpenID CAEP 1.0: a session was revoked, a device's compliance, a
// session's assurance level, or its risk changed. Each agency is an issuer of
// its own. Receivers manage streams (SSF 1.0, 8.1) and have their events pushed
// (RFC 8935) or poll them (RFC 8936), as the CAEP Interoperability Profile 1.0
// asks.
//
// Guarantees:
//   - An event is stored before it is sent and stays, across kill -9, until its
//     receiver acknowledged it, or refused it, which is recorded. Events of one
//     stream are pushed one by one, in order; a receiver may see one twice.
//   - A stream holds a bounded number of events. When it is full it is paused,
//     the receiver is told by an event of its own and by the status' reason, and
//     what is not kept is counted. Nothing is dropped unsaid.
//   - An agency's streams tell of its own people, its own devices, and of
//     sessions at its own portals. Who else's person or device takes part in one
//     of those sessions is left out: only the session's id remains.
//   - A receiver is known by its secret, of which a digest is stored. It sees its
//     own streams only. Whatever it sends, events are pushed only to https
//     addresses that an administrator allowed it, never along a redirect, never
//     without the certificate being verified.
//   - A source of changes never waits here.
package signals
