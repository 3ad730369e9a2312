// Package telemetry tells operators how the PDP is: Prometheus metrics,
// OpenTelemetry traces, and whether it is ready for requests (SP 800-207 §3.3:
// what is continuously looked at can be relied on).
//
//	/metrics  Prometheus' text format
//	/healthz  200 while the process answers at all
//	/readyz   200 while the PDP can decide; else 503 and what is wrong
//
// Guarantees:
//   - No label and no attribute of a span names a person, a device, a session
//     or an address. Every label has a bounded set of values: effects, reason
//     codes with a text, the plugins of the configuration. What does not belong
//     to the set is counted as "other".
//   - Ready is said only of what was seen to work within the last two seconds;
//     before the first look, and while stopping, the PDP is not ready.
//   - Observing a known session's request allocates nothing.
//   - A collector of traces that is slow or gone delays nothing: spans are
//     queued, and dropped when the queue is full.
package telemetry
