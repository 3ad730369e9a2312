// Package policyset keeps the access policy sets of the PDP, one version each,
// and says which one is in force: the Policy Administrator's side of NIST SP
// 800-207's policy engine (requirements 12, 13).
//
// A set is a draft, then staged, then perhaps in the shadow of the one in force,
// then active, then superseded; a superseded one can be taken back. While no
// set was ever activated here, the configured one is in force: the shipped
// baseline or a folder.
//
// Guarantees:
//   - Every set that ever decided is kept for good, the configured ones too:
//     replay needs them.
//   - A set decides only while its content is what was signed when it was kept,
//     and its activation is signed, approved by as many officers as were asked
//     for, and the last there was. What does not verify never decides: there is
//     no set in force then, and everything is denied, until officers activate one.
//   - An approval counts once for each officer, and only against the set that
//     was in force when it was given.
//   - Each step is one transaction: a crash leaves all of it or nothing.
//   - Nothing here is in the path of a request but the reading of one pointer
//     and an offer to a queue that never blocks.
package policyset
