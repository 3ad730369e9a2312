// Package lab builds the small world in which the demo and the end-to-end tests
// run the real binaries: three network namespaces (a laptop, a gate with the
// PDP and the portal, a café for the thief), certificates for the pages,
// processes with their logs, and a headless Chromium with a virtual security
// key.
//
// It needs root, and touches nothing of the host's own network, firewall or
// /etc: every mount and link lives and dies with the namespaces.
package lab
