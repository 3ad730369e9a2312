// Package softkey holds a device's three keys (attestation, TLS, signing) for
// a machine that has no TPM: as a document that only a secret kept apart opens
// (AES-256-GCM under a key that HKDF, RFC 5869, makes of the secret).
//
// What it stops: somebody who gets the agent's state alone, from a backup or a
// disk image without the secret, cannot use the keys. What it does not stop:
// root, or whoever gets both files, has the keys and can use them on another
// machine. So such keys prove no hardware and no boot, the PDP marks the device
// as software for ever, and a counter tells two copies apart as soon as both
// are used.
//
// Guarantees: the keys leave the package only sealed; each proof has a counter
// that was kept on disk before the proof existed; everything read is bounded.
//
// Store is what the agent needs of any other place that keeps keys without
// being a TPM, such as a Secure Enclave.
package softkey
