package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of a record and of a line of the log.
const (
	MaxRecordBytes = 128 << 10
	maxLineBytes   = MaxRecordBytes + 512
)

// label keeps these hashes apart from all others.
const label = "menshen/audit/v1\n"

const (
	hashName = `,"hash":"`
	hashTail = len(hashName) + 2*sha256.Size + len(`"}`)
)

// Entry is one chained record.
type Entry struct {
	Sequence uint64           `json:"seq"`
	At       time.Time        `json:"at"`
	Synced   uint64           `json:"synced"`
	Previous string           `json:"prev"`
	Record   wire.AuditRecord `json:"record"`
	Hash     string           `json:"hash"`
}

// position is a place in the chain: the last entry's sequence, hash and time.
// The zero position is the beginning.
type position struct {
	seq  uint64
	hash [sha256.Size]byte
	at   time.Time
}

// appendLine appends the entry after p, with its line end, and returns its position.
func appendLine(to []byte, p position, at time.Time, synced uint64, record []byte) ([]byte, position) {
	start := len(to)
	to = append(to, `{"seq":`...)
	to = strconv.AppendUint(to, p.seq+1, 10)
	to = append(to, `,"at":"`...)
	to = at.AppendFormat(to, time.RFC3339Nano)
	to = append(to, `","synced":`...)
	to = strconv.AppendUint(to, synced, 10)
	to = append(to, `,"prev":"`...)
	to = hex.AppendEncode(to, p.hash[:])
	to = append(to, `","record":`...)
	to = append(to, record...)
	next := position{seq: p.seq + 1, hash: hashOf(to[start:]), at: at}
	to = append(to, hashName...)
	to = hex.AppendEncode(to, next.hash[:])
	return append(to, "\"}\n"...), next
}

func hashOf(body []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

var errLine = errors.New("the line does not match its own hash")

// parseLine reads one line without its end and checks it against its own hash.
func parseLine(line []byte) (Entry, [sha256.Size]byte, error) {
	var hash [sha256.Size]byte
	if len(line) <= hashTail {
		return Entry{}, hash, errLine
	}
	body, tail := line[:len(line)-hashTail], line[len(line)-hashTail:]
	hash = hashOf(body)
	if string(tail) != hashName+hex.EncodeToString(hash[:])+`"}` {
		return Entry{}, hash, errLine
	}
	var e Entry
	if err := strictjson.Unmarshal(line, &e); err != nil {
		return Entry{}, hash, fmt.Errorf("not an entry: %w", err)
	}
	return e, hash, nil
}

// follows says why e cannot come directly after p, or nothing.
func (p position) follows(e Entry) error {
	switch {
	case e.Sequence != p.seq+1:
		return fmt.Errorf("sequence %d after %d", e.Sequence, p.seq)
	case e.Previous != hex.EncodeToString(p.hash[:]):
		return fmt.Errorf("entry %d does not continue the entry before it", e.Sequence)
	case e.At.Before(p.at):
		return fmt.Errorf("entry %d is older than the entry before it", e.Sequence)
	case e.Synced > p.seq:
		return fmt.Errorf("entry %d calls %d safe", e.Sequence, e.Synced)
	}
	return nil
}

// encode returns a record's canonical JSON.
func encode(r wire.AuditRecord) ([]byte, error) {
	switch r.Kind {
	case wire.AuditDecision, wire.AuditUses, wire.AuditSignIn, wire.AuditKeyAdded,
		wire.AuditEnrolment, wire.AuditAppraisal, wire.AuditAdmin, wire.AuditRemedy, wire.AuditSystem, wire.AuditSignal, wire.AuditEvaluation:
	default:
		return nil, fmt.Errorf("%w: kind %q", ErrInvalid, r.Kind)
	}
	r.At = r.At.UTC()
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(raw) > MaxRecordBytes || bytes.IndexByte(raw, '\n') >= 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrInvalid, len(raw))
	}
	return raw, nil
}

// system returns a record of the log itself.
func system(at time.Time, detail any) ([]byte, error) {
	raw, err := json.Marshal(detail)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return encode(wire.AuditRecord{Kind: wire.AuditSystem, At: at, Detail: raw})
}
