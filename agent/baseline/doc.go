// Package baseline measures a machine against configuration baselines (GCB,
// requirements 26 to 28). The rules are data: YAML files that a security team
// extends without this package's source.
//
// Guarantees:
//   - A check reads effective values: what the kernel, the service manager, the
//     package database or the program itself says, or its files read with their
//     drop-ins as that program reads them. Output that a language setting
//     changes is never parsed.
//   - What could not be measured is an error with its reason, never a pass. An
//     exception is an agency's to give and no result of this package.
//   - Rule files belong to root and nobody else may write them, or nothing is
//     loaded. A local file adds rules and baselines; it never replaces one.
//   - Everything of a machine that is read is bounded.
package baseline
