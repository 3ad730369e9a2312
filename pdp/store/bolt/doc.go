// Package bolt is the store of a single PDP: one bbolt file.
//
// Writers are gathered by a committer of its own: many concurrent calls share
// one bbolt transaction and its two fsyncs, yet each is compared and applied
// whole or not at all, and gets a revision of its own. Nobody waits for a
// timer: a group is whatever came in while the last one was being written.
//
// Guarantees beyond those of package store:
//   - Open and Check read every page of the file with bounds checks before
//     bbolt maps it, because bbolt faults on a damaged file and would take the
//     process along. What they refuse is a *DamagedError.
//   - Each record carries a CRC-32C over key, revision and value; a record
//     that does not match is never given out.
//   - A file has one process: a second one gets ErrLocked.
//   - A full disk or a write error undoes the whole group and is
//     ErrUnavailable. Where the new state may have reached the disk without
//     proof, the answer is ErrIndeterminate and the store serves nothing more
//     until it is opened anew; Broken tells the owner.
//
// The file never shrinks. Its history for Watch is in memory, bounded by bytes,
// and starts anew with each Open.
package bolt
