//go:build linux

// Package swtpm manufactures and runs software TPMs for tests and for the
// demonstration: real TPM 2.0 implementations (libtpms) behind a Unix socket,
// each with EK certificates from a local CA in its NV, as a maker's factory
// would leave them. It needs the programs swtpm, swtpm_setup and
// swtpm_localca.
//
// Nothing in the agent or the PDP imports it. A software TPM proves nothing
// about hardware: its CA is worth trusting in tests alone.
package swtpm
