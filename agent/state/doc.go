// Package state keeps the agent's small file: which device this is, which PDP
// it belongs to, and the TPM key blobs with their authorization values.
//
// The file is JSON with a schema version, readable by its owner alone (design:
// protocols, Keys: membership of the TPM's group is not enough). It is replaced
// in one step: written beside itself, synced, renamed, and the directory
// synced. So a crash or a full disk leaves the old file whole. A file that
// cannot be understood is an error and is never written over.
package state
