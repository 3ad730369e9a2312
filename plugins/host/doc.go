//go:build linux

// Package host runs the inference plugins, each as a process of its own, and
// asks them for verdicts. It stands on hashicorp/go-plugin for handshake and
// gRPC, and does itself what go-plugin leaves open.
//
// Guarantees (design, invariant 8):
//   - only the program whose SHA-256 the configuration names is executed, from
//     a folder that nobody but its owner can write; the launcher checks the very
//     descriptor that it executes;
//   - a plugin starts without the host's environment, in a process group of its
//     own, with resource limits, landlock, a seccomp filter that leaves it Unix
//     sockets only (and TCP where operator and plugin say so), no new privileges,
//     and its own uid where the host is root or has a Launcher, a small service
//     that is root and starts what its own registration names. What the kernel
//     or the host's own rights do not allow is told by Limits;
//   - it dies with the host and with the launcher, however they die;
//   - another program takes its place without a verdict missed (Apply);
//   - no call waits longer than its deadline, whatever the plugin does; a
//     plugin that stops answering is killed and started again;
//   - an answer outside its bounds counts as no answer. No answer is marked
//     missing, never left out and never made up.
//
// The host connects only to the process that it started: the socket's peer
// credentials must name it.
package host
