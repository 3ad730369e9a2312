// Package posture measures what the operating system says of itself: one claim
// a file and system, each with one of the result states of requirements 27.
//
// What cannot be measured is an error with its reason, never a pass. A file for
// Linux ends in _linux; one for macOS in _mac and one for Windows in _win, which
// are tested everywhere, on recorded answers. Collectors
// read nothing but what their Machine gives them,
// so recorded machines test them. A claim counts for no more than the boot
// under it; that weighing is the verifier's.
package posture
