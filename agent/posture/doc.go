// Package posture measures what the operating system says of itself: one claim
// a file and system, each with one of the result states of requirements 27.
//
// What cannot be measured is an error with its reason, never a pass. Collectors
// read nothing but the file system and the firewall source that they are given,
// so recorded machines test them. A claim counts for no more than the boot
// under it; that weighing is the verifier's.
package posture
