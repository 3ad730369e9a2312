// Package ceremony proves who is signing in and which laptop the browser is
// on: WebAuthn registration and sign-in, the joining of browser and device,
// and the PDP's own session on its own origin. It speaks JSON to the pages;
// what the pages hold proves nothing alone.
//
// Standards: W3C WebAuthn Level 3 (7.1 registration, 7.2 authentication), FIDO
// Metadata Service 3, SP 800-63B-4 AAL3 (requirements 15 and 16).
//
// Guarantees: a challenge, a device confirmation, a registration link and a
// login code each work once, across restarts; a stranger's request writes
// nothing until it spends something; a key is registered only where its
// attestation proves a hardware model (or where a test authenticator is
// permitted by an explicit setting, and then the key is marked for ever);
// nothing counts before its audit record is durable.
//
// The words "relying party", "attestation statement" and "credential" are
// WebAuthn's here.
package ceremony
