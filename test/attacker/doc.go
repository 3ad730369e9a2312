// Package attacker is an agent that does what it likes: it has a TPM, or
// somebody's, and drives it command by command; it has a connection to the
// PDP's agents' port, and says there whatever it wants. What it does not have
// is a TPM that signs lies with an attestation key.
//
// Guarantees: each forgery is wrong in the one place that it is named for and
// true in all others, so that nothing but the check it is about refuses it. It
// serves tests and the demonstration alone.
package attacker
