// Package inventory lists the software that is installed on this machine, for
// vulnerability notification (VANS, requirements 9) and for the PDP's claim
// about known exploited vulnerabilities.
//
// Guarantees:
//   - It reads what the system's own package manager keeps, never a search of
//     the disk, and runs nothing but the package manager's query.
//   - The same software gives the same bytes, in one order, so that a digest
//     tells whether anything changed.
//   - What cannot be read is an error, never a shorter list: a list that lacks
//     the vulnerable package would look healthy.
//   - It reads again only when the package manager's files changed.
package inventory
