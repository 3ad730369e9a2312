// Package reference keeps an agency's reference values (RFC 9334, 8.3): what a
// boot's measurements are held against, one event at a time. They come in
// signed bundles, of a vendor or learned from a pilot group, that go from draft
// to next to current to superseded. It also keeps each device's last boot, and
// tells from them how the fleet would stand.
//
// Guarantees:
//   - A value counts only while its bundle's signature verifies by a key that
//     an administrator registered for this agency, or by the PDP's own approval
//     key. A bundle that does not verify is left out, which lowers trust.
//   - A bundle's version never falls, and what was approved never changes.
//   - Each change is one transaction: a crash leaves all of it or nothing. The
//     set in memory is exchanged whole.
//   - Lengths and counts of whatever comes from outside are bounded.
package reference
