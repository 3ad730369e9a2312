package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// The head is a file of two slots, written in turn and in place: a torn write
// leaves the other slot, and no write of it ever needs room on the disk.
const (
	headFile  = "head"
	slotBytes = 4096
	headLabel = "menshen/audit-head/v1\n"
)

// head vouches for a sequence of the log.
type head struct {
	Log      string    `json:"log"`   // random, one per log
	Count    uint64    `json:"count"` // writes of the head
	Sequence uint64    `json:"seq"`
	Hash     string    `json:"hash"`
	At       time.Time `json:"at"`
	Clean    bool      `json:"clean"` // the log was closed here
}

// slot is a head with its signature, if there is a key, and its checksum.
type slot struct {
	Head      json.RawMessage `json:"head"`
	Signature []byte          `json:"signature,omitempty"`
	Sum       string          `json:"sum"`
}

func (h head) encode(key ed25519.PrivateKey) ([]byte, error) {
	body, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	s := slot{Head: body}
	if key != nil {
		s.Signature = ed25519.Sign(key, append([]byte(headLabel), body...))
	}
	s.Sum = s.sum()
	raw, err := json.Marshal(s)
	if err != nil || len(raw) >= slotBytes {
		return nil, fmt.Errorf("audit: a head of %d bytes: %w", len(raw), err)
	}
	padded := bytes.Repeat([]byte(" "), slotBytes)
	copy(padded, raw)
	padded[slotBytes-1] = '\n'
	return padded, nil
}

func (s slot) sum() string {
	h := sha256.New()
	h.Write([]byte(headLabel))
	h.Write(s.Head)
	h.Write(s.Signature)
	return hex.EncodeToString(h.Sum(nil))
}

// vouched is a head as it was read.
type vouched struct {
	head
	body, signature []byte
}

// signedBy reports whether the head was signed with the key.
func (v vouched) signedBy(key ed25519.PublicKey) bool {
	return len(v.signature) == ed25519.SignatureSize &&
		ed25519.Verify(key, append([]byte(headLabel), v.body...), v.signature)
}

// readHead returns the newer whole slot, or false where there is no head file.
func readHead(dir string) (vouched, bool, error) {
	raw, err := os.ReadFile(filepath.Join(dir, headFile)) // #nosec G304 -- a fixed name in the log's folder
	if errors.Is(err, fs.ErrNotExist) {
		return vouched{}, false, nil
	}
	if err != nil {
		return vouched{}, false, fmt.Errorf("audit: %w", err)
	}
	if len(raw) != 2*slotBytes {
		return vouched{}, false, &BreakError{File: headFile, Why: fmt.Sprintf("%d bytes", len(raw))}
	}
	var newest vouched
	found := false
	for i := range 2 {
		v, err := readSlot(raw[i*slotBytes : (i+1)*slotBytes])
		if err == nil && (!found || v.Count > newest.Count) {
			newest, found = v, true
		}
	}
	if !found {
		return vouched{}, false, &BreakError{File: headFile, Why: "neither slot is whole"}
	}
	return newest, true, nil
}

func readSlot(raw []byte) (vouched, error) {
	var s slot
	if err := strictjson.Unmarshal(bytes.TrimRight(raw, " \n"), &s); err != nil {
		return vouched{}, err
	}
	if s.Sum != s.sum() {
		return vouched{}, errors.New("checksum")
	}
	v := vouched{body: s.Head, signature: s.Signature}
	return v, strictjson.Unmarshal(s.Head, &v.head)
}

// headWriter owns the open head file.
type headWriter struct {
	f    *os.File
	key  ed25519.PrivateKey
	last head
}

// createHead lays down the head of a new log: whole, under its name, or not.
func createHead(dir string, h head, key ed25519.PrivateKey) error {
	raw, err := h.encode(key)
	if err != nil {
		return err
	}
	draft := filepath.Join(dir, headFile+".new")
	if err := writeSynced(draft, append(raw, raw...)); err != nil {
		return err
	}
	if err := os.Rename(draft, filepath.Join(dir, headFile)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return syncDir(dir)
}

func openHead(dir string, last head, key ed25519.PrivateKey) (*headWriter, error) {
	f, err := os.OpenFile(filepath.Join(dir, headFile), os.O_RDWR, 0) // #nosec G304 -- a fixed name in the log's folder
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &headWriter{f: f, key: key, last: last}, nil
}

// write makes the head vouch for p.
func (w *headWriter) write(p position, clean bool) error {
	next := head{
		Log: w.last.Log, Count: w.last.Count + 1,
		Sequence: p.seq, Hash: hex.EncodeToString(p.hash[:]), At: p.at, Clean: clean,
	}
	raw, err := next.encode(w.key)
	if err != nil {
		return err
	}
	if _, err := w.f.WriteAt(raw, int64(next.Count%2)*slotBytes); err != nil { // #nosec G115 -- 0 or 1
		return fmt.Errorf("audit: head: %w", err)
	}
	if err := syncData(w.f); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	w.last = next
	return nil
}
