// Package inventory keeps what software runs on devices, names it by CPE 2.3
// (NISTIR 7695) for vulnerability notification (VANS, requirements 9), and
// joins it, without a network, with a feed of known vulnerabilities (CVE, CVSS,
// EPSS and CISA's list of known exploited ones; requirements 7).
//
// Guarantees:
//   - An inventory is kept by its digest. The Verifier believes it only where a
//     quote covers that digest, so sending another one changes nothing.
//   - A system that the feed does not know, or a feed that is missing or old,
//     makes the answer unknown, never healthy.
//   - A package of a distribution is held against the distribution's own fixed
//     versions, because fixes are carried back under old version numbers; other
//     software is held against ranges of its maker's versions.
//   - Everything that comes from a device or a file is bounded.
package inventory
