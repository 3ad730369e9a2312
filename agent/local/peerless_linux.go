package local

// peerlessSystem: Linux always knows a Unix socket's peer.
const peerlessSystem = false
