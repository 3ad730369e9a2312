//go:build !linux

package local

// peerlessSystem: this system does not say who is at the other end of a socket,
// so the rights on the socket's directory decide.
const peerlessSystem = true
