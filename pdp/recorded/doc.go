// Package recorded seals what a decision was computed from into the decision's
// audit record, so that the decision can be computed again (design: §5, Replay)
// and so that it can no longer be once a person's data are erased.
//
// Every person has one random 256-bit key for each period (Period) and agency
// that records decisions about them. It lies in the store, sealed by the PDP's
// keyring. A record is AES-256-GCM (SP 800-38D) under a key of its own, derived
// from that one (HKDF-SHA256, RFC 5869) and bound to agency, person, key and
// decision.
//
// Guarantees:
//   - What Open returns was sealed for this very decision of this person.
//   - Once Erase has returned, or a key's time is over, Open answers ErrErased;
//     the audit log's chain covers the sealed bytes and still verifies.
//   - A key that was erased is never used again: a new one has another name.
//   - Sealing costs a write of the store for a new person or period only.
//
// What a deleted key leaves behind: its sealed form may stay in pages of the
// store's file that are free and not yet written over, and in copies made
// before. Neither can be opened without the keyring, which is in no backup of
// the store.
package recorded
