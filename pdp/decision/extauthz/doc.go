// Package extauthz is the proxies' port for Envoy: its external authorization
// service over gRPC (envoy.service.auth.v3.Authorization).
//
// A proxy proves which portal it stands for by the bearer secret in the call's
// metadata (grpc_service.initial_metadata in Envoy's configuration). Nothing in
// the CheckRequest names the portal: all of it may be the client's. The
// client's address is attributes.source, which Envoy takes from the connection;
// X-Forwarded-For is not believed.
//
// Guarantees:
//   - A CheckResponse whose status is OK is made in one place, for a granted
//     request alone. google.rpc.Status counts an absent status as OK, so
//     whatever leaves without an OkHttpResponse of that place is replaced by a
//     denial; a panic becomes one too.
//   - Faults are answered as denials, not as errors of the call: a proxy that
//     was told to let requests pass on an error does not.
//   - An OK sets each identity header or removes it, takes Menshen's cookies
//     out, and removes the headers that would override the method or the
//     address that were decided on.
//   - A denial is the browser's own answer: the sign-in, the page or the
//     problem document that decision.Server.Refuse writes.
package extauthz
