package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Version is the schema version that this package writes and reads.
const Version = 1

// maxBytes bounds the file. The last result with all its claims is some KB.
const maxBytes = 1 << 20

// typicalBytes is more than a state is when a device enrols.
const typicalBytes = 32 << 10

// Errors that a caller may match.
var (
	// ErrNotEnrolled: there is no state file, so the device is not enrolled.
	ErrNotEnrolled = errors.New("state: not enrolled")
	// ErrExposed: others than the owner can read or write the file.
	ErrExposed = errors.New("state: the file is open to others than its owner")
	// ErrCorrupt: the file is not what this package wrote.
	ErrCorrupt = errors.New("state: the file is damaged or of an unknown version")
	// ErrUnreadable: the file cannot be read.
	ErrUnreadable = errors.New("state: the file cannot be read")
	// ErrNotWritten: the new file could not be written; the old one is whole.
	ErrNotWritten = errors.New("state: the file could not be written")
	// ErrLocked: another process of the agent holds the state.
	ErrLocked = errors.New("state: another agent holds it")
)

// State is the contents of the file.
type State struct {
	V          int             `json:"v"`
	DeviceID   string          `json:"device_id"`
	DeviceName string          `json:"device_name"`
	Agency     string          `json:"agency"`
	Provenance wire.Provenance `json:"provenance"`
	// PDP is the agents' port as host:port.
	PDP string `json:"pdp"`
	// CADigest is the SHA-256 of CACertificate (DER), as the enrolment code gave it.
	CADigest      []byte `json:"ca_digest"`
	CACertificate []byte `json:"ca_certificate"`
	// WebOrigin is the only origin that the loopback listener answers.
	WebOrigin string    `json:"web_origin"`
	Keys      Secret    `json:"keys"`
	Enrolled  time.Time `json:"enrolled_at"`
	// Last is the PDP's last answer, for `status` after a restart.
	Last *Last `json:"last,omitempty"`
}

// Last is the PDP's last answer to an attestation.
type Last struct {
	Accepted bool                   `json:"accepted"`
	Result   wire.AttestationResult `json:"result"`
	Trust    *int                   `json:"trust,omitempty"`
	At       time.Time              `json:"at"`
}

// Secret is a JSON document that never reaches a log: the TPM key blobs with
// their authorization values, as agent/tpm marshals them.
type Secret json.RawMessage

// MarshalJSON returns the document itself.
func (s Secret) MarshalJSON() ([]byte, error) {
	if len(s) == 0 {
		return []byte("null"), nil
	}
	return s, nil
}

// UnmarshalJSON keeps a copy of the document.
func (s *Secret) UnmarshalJSON(raw []byte) error {
	*s = append((*s)[:0], raw...)
	return nil
}

// LogValue hides the document.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String hides the document.
func (Secret) String() string { return "[secret]" }

// GoString hides the document.
func (Secret) GoString() string { return "[secret]" }

// File is the state file at a path. Its methods may be used by one goroutine at
// a time; between processes Lock decides.
type File struct {
	path string
}

// At names the state file at path. Nothing is opened yet.
func At(path string) *File { return &File{path: path} }

// Path is the file's path.
func (f *File) Path() string { return f.path }

// Load reads the state: ErrNotEnrolled, ErrExposed, ErrCorrupt or
// ErrUnreadable, or the state.
func (f *File) Load() (*State, error) {
	file, err := os.Open(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s does not exist", ErrNotEnrolled, f.path)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrUnreadable, f.path)
	}
	if exposed(info) {
		return nil, fmt.Errorf("%w: %s has mode %04o, 0600 is needed", ErrExposed, f.path, info.Mode().Perm())
	}
	return decode(file)
}

func decode(r io.Reader) (*State, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrCorrupt, maxBytes)
	}
	var s State
	if err := strictjson.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &s, nil
}

func (s *State) check() error {
	switch {
	case s.V != Version:
		return fmt.Errorf("%w: version %d, this agent reads %d", ErrCorrupt, s.V, Version)
	case wire.CheckID(wire.PrefixDevice, s.DeviceID) != nil:
		return fmt.Errorf("%w: no device id", ErrCorrupt)
	case s.PDP == "" || s.WebOrigin == "" || len(s.Keys) == 0:
		return fmt.Errorf("%w: incomplete", ErrCorrupt)
	case len(s.CADigest) != 32 || len(s.CACertificate) == 0:
		return fmt.Errorf("%w: no CA", ErrCorrupt)
	}
	return nil
}

// Save replaces the file with s in one step. It refuses to write over a file
// that Load cannot understand (ErrCorrupt, ErrExposed, ErrUnreadable), so that
// a damaged file stays for somebody to look at.
func (f *File) Save(s *State) error {
	if _, err := f.Load(); err != nil && !errors.Is(err, ErrNotEnrolled) {
		return fmt.Errorf("not written over: %w", err)
	}
	next := *s
	next.V = Version
	if err := next.check(); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(next, "", " ")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	if len(raw) > maxBytes {
		return fmt.Errorf("%w: %d bytes are too many", ErrNotWritten, len(raw))
	}
	if err := f.replace(raw); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return nil
}

// replace writes raw beside the file, syncs it, and renames it over the file.
func (f *File) replace(raw []byte) (err error) {
	dir := filepath.Dir(f.path)
	next, err := os.CreateTemp(dir, "."+filepath.Base(f.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = next.Close()
			_ = os.Remove(next.Name())
		}
	}()
	if err := giveToDirectoryOwner(next, dir); err != nil {
		return err
	}
	if _, err := next.Write(raw); err != nil {
		return err
	}
	if err := next.Sync(); err != nil {
		return err
	}
	if err := next.Close(); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), f.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// Writable makes sure that a state can be written here, before something is done
// elsewhere that must be remembered: it writes and syncs as much as a state
// needs, and takes it away again.
func (f *File) Writable() error {
	dir := filepath.Dir(f.path)
	probe, err := os.CreateTemp(dir, "."+filepath.Base(f.path)+".*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	_, err = probe.Write(make([]byte, typicalBytes))
	if err == nil {
		err = probe.Sync()
	}
	if err = errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return nil
}

// Remove deletes the state: the device forgets its enrolment.
func (f *File) Remove() error {
	if err := os.Remove(f.path); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return syncDir(filepath.Dir(f.path))
}
