// Package audit is the PDP's durable record, tier 1: an append-only,
// hash-chained log in segment files (requirements 23; design: State, Audit).
//
// Append returns only when the record is on the disk; concurrent callers share
// an fsync. What cannot be recorded must not happen: when the log cannot be
// written, Append returns ErrClosed, the PDP denies, and the log opens itself
// again once it can write. A reserve file keeps room back, so that
// administration and the system's own records are still written on a full disk.
//
// # Format
//
// A folder holds segments, named after the sequence of their first entry, the
// head, the reserve and a lock. A segment has one entry a line, canonical JSON:
//
//	{"seq":N,"at":T,"synced":S,"prev":"…","record":{…},"hash":"…"}
//
// hash is SHA-256 over a label and the line up to ",\"hash\"", prev is the hash
// of the entry before, sequences start at 1 without gaps, times never go back.
// synced is the last sequence that was on the disk when this entry was written;
// what comes after a torn place tells by it whether the torn entries had been
// acknowledged. The head names a sequence and its hash; it is written anew at
// most a second after an entry, at every change of segment, and as clean when
// the log closes. With Options.Key it is signed (Ed25519).
//
// # What Verify promises
//
// Any flipped byte, and any line or segment removed, inserted or exchanged, is
// found, and so is a tail cut off before the head's sequence. After a crash the
// entries of the last second lie beyond the head: if a part of them is missing
// or torn, nobody can tell a crash from a hand, and Verify says how many are
// beyond the head. Whoever may write in the folder can compute the whole chain
// and an unsigned head anew; with a signed head they need the key, or can only
// put back an older copy of everything. Against that help copies elsewhere and,
// later, the transparency log.
//
// # Personal data
//
// Records name people, devices and networks. They stay in this log (tier 1);
// nothing else copies them. The folder is readable by the PDP's user alone.
// Anonymous denials are counted, not recorded one by one.
package audit
