package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/ima"
)

// maxIMAExamples bounds how many files a result names.
const maxIMAExamples = 5

// aggregatePath is the entry by which the kernel ties its list to the boot.
const aggregatePath = "boot_aggregate"

// readRunTime takes note in k of how far the run-time list explains the quoted
// PCR 10, and reports whether a piece of the list is wanted. The list may be
// ahead of the quote: it is read up to the quoted value. A machine without IMA
// has a PCR 10 of zeros and no list, which is no fault. Ran are the files that
// were read of this time.
func readRunTime(in Input, p proof, before, k *wire.Kept) (ran []string, wanted bool) {
	at := slices.IndexFunc(p.pcrs, func(v wire.PCRValue) bool { return v.Index == wire.RunTimePCR })
	if at < 0 {
		return nil, false
	}
	quoted := [sha256.Size]byte(p.pcrs[at].Digest)
	piece := in.Evidence.IMA
	if quoted == [sha256.Size]byte{} && piece == nil {
		return nil, false
	}
	state, known := stateOf(in.References, p, before)
	k.IMA = state
	switch {
	case piece == nil:
		if [sha256.Size]byte(state.PCR) != quoted {
			state.Problem = reason.IMAUnexplained
			return nil, known // it was sent once, so it can be sent again
		}
	case piece.From != state.Count:
		state.Problem = reason.IMAPending
		return nil, true
	default:
		return readPiece(in, p, k, quoted)
	}
	return nil, false
}

// stateOf is how far the list was read in this boot and held against these
// files; known says that some of it was ever sent.
func stateOf(set *wire.ReferenceSet, p proof, before *wire.Kept) (state *wire.IMAState, known bool) {
	version := ""
	if set != nil && set.Files != nil {
		version = set.Version
	}
	fresh := &wire.IMAState{PCR: make([]byte, sha256.Size), Set: version}
	if before == nil || before.IMA == nil || before.ResetCount != p.clock.ResetCount || len(before.IMA.PCR) != sha256.Size {
		return fresh, false
	}
	if before.IMA.Set != version {
		return fresh, before.IMA.Count > 0
	}
	last := *before.IMA
	last.Examples, last.Problem = slices.Clone(last.Examples), ""
	return &last, last.Count > 0
}

// readPiece reads entries until they explain the quoted value. A list that never
// does is read from its beginning the next time, and tells of no file.
func readPiece(in Input, p proof, k *wire.Kept, quoted [sha256.Size]byte) (ran []string, wanted bool) {
	entries, err := ima.Parse(in.Evidence.IMA.Log)
	again := &wire.IMAState{PCR: make([]byte, sha256.Size), Set: k.IMA.Set}
	if err != nil {
		again.Problem = reason.IMAMalformed
		k.IMA = again
		return nil, false
	}
	pcr := [sha256.Size]byte(k.IMA.PCR)
	var unlisted []string
	for _, e := range entries {
		if pcr == quoted {
			break
		}
		pcr = e.Extend(pcr)
		k.IMA.Count++
		if digest := foreign(e, in.References); digest != "" && len(ran) < wire.MaxRan {
			ran = append(ran, digest)
		}
		if path, not := weigh(k.IMA, e, in.References, p.pcrs); not {
			unlisted = append(unlisted, path)
		}
	}
	k.IMA.PCR = pcr[:]
	k.IMA.Changed += changedFiles(in.References, unlisted)
	switch {
	case pcr == quoted:
		return ran, false
	case in.Evidence.IMA.More && len(entries) > 0:
		k.IMA.Problem = reason.IMAPending
		return ran, true
	}
	again.Problem = reason.IMAUnexplained
	k.IMA = again
	return nil, false
}

// foreign is the SHA-256, hexadecimal, of the file of an entry that no allow
// list has; empty for every other entry. A name excuses none: the disk chooses it.
func foreign(e ima.Entry, set *wire.ReferenceSet) string {
	file, err := e.File()
	if err != nil || e.Violation() || file.Algorithm != "sha256" || len(file.Digest) != sha256.Size {
		return ""
	}
	if set != nil {
		if _, listed := set.Files[[sha256.Size]byte(file.Digest)]; listed {
			return ""
		}
	}
	return hex.EncodeToString(file.Digest)
}

// weigh holds one entry against the boot and the allow list, and reports the
// path of a file that is not on the list. Once the boot was summed up, an entry
// of that name in another bank is a file like others: its name is the disk's.
func weigh(s *wire.IMAState, e ima.Entry, set *wire.ReferenceSet, pcrs []wire.PCRValue) (path string, unlisted bool) {
	if e.Violation() {
		s.Violations++
		return "", false
	}
	file, err := e.File()
	switch {
	case err != nil: // no file, or one that cannot be told
		s.Weak++
	case file.Path == aggregatePath && (file.Algorithm == "sha256" || s.Aggregate == ""):
		if s.Aggregate != wire.AggregateDiffers {
			s.Aggregate = aggregate(file, pcrs)
		}
	case set == nil || set.Files == nil:
	case file.Algorithm != "sha256" || len(file.Digest) != sha256.Size:
		s.Weak++
	default:
		if _, listed := set.Files[[sha256.Size]byte(file.Digest)]; !listed {
			s.Unlisted++
			if len(s.Examples) < maxIMAExamples {
				s.Examples = append(s.Examples, plain(file.Path))
			}
			return file.Path, true
		}
	}
	return "", false
}

// changedFiles counts the paths that are on the allow list, in one walk over it
// however many they are: an allow list has very many files.
func changedFiles(set *wire.ReferenceSet, paths []string) (n int) {
	if len(paths) == 0 {
		return 0
	}
	times := make(map[string]int, len(paths))
	for _, path := range paths {
		times[path]++
	}
	for _, listed := range set.Files {
		n += times[listed]
		delete(times, listed) // it may be listed with several contents
	}
	return n
}

// aggregate holds the kernel's digest over the boot's PCRs against those quoted:
// 0 to 9 since Linux 5.8, 0 to 7 before.
func aggregate(f ima.File, pcrs []wire.PCRValue) wire.AggregateState {
	if f.Algorithm != "sha256" {
		return wire.AggregateUnsupported // over a bank that is not quoted
	}
	h := sha256.New()
	for _, v := range pcrs {
		if v.Index > 9 {
			break
		}
		h.Write(v.Digest)
		if v.Index >= 7 && bytes.Equal(h.Sum(nil), f.Digest) {
			return wire.AggregateMatches
		}
	}
	return wire.AggregateDiffers
}

// appraiseRunTime is what the run-time list lets executables count for at best,
// with why. It never contradicts the boot: what runs later is of the boot's
// making, a list is easily withheld, and a file that an ordinary update brought
// looks like one that an attacker did. So it can lower to a warning.
func appraiseRunTime(s *wire.IMAState) (best wire.Trustworthiness, findings []wire.Finding) {
	best = wire.Affirming
	if s == nil {
		return best, nil
	}
	tell := func(kind wire.FindingType, code string, count int, note bool) {
		seen := strconv.Itoa(count)
		if len(s.Examples) > 0 && (code == reason.IMAUnlisted || code == reason.IMAChanged) {
			seen += ": " + strings.Join(s.Examples, ", ")
		}
		findings = append(findings, wire.Finding{Type: kind, Reason: reason.New(code, "seen", seen), Seen: seen, Note: note})
		if !note {
			best = wire.Warning
		}
	}
	if s.Problem != "" {
		tell(wire.FindingMissing, s.Problem, s.Count, false)
	}
	if s.Aggregate == wire.AggregateDiffers {
		tell(wire.FindingFailing, reason.IMAAggregate, s.Count, false)
	}
	if s.Changed > 0 {
		tell(wire.FindingFailing, reason.IMAChanged, s.Changed, false)
	}
	if other := s.Unlisted - s.Changed; other > 0 {
		tell(wire.FindingFailing, reason.IMAUnlisted, other, false)
	}
	if s.Weak+s.Violations > 0 {
		tell(wire.FindingUnsupported, reason.IMAUnmeasured, s.Weak+s.Violations, s.Set == "")
	}
	if s.Aggregate == wire.AggregateUnsupported {
		tell(wire.FindingUnsupported, reason.IMAAggregateUnsupported, s.Count, true)
	}
	return best, findings
}
