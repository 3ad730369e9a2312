package remedy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// record is what a remedy found, kept until it is undone.
type record struct {
	V      int       `json:"v"`
	Remedy Name      `json:"remedy"`
	At     time.Time `json:"at"`
	// Before is what undo restores, in the remedy's own form.
	Before json.RawMessage `json:"before"`
	// Applied says that the remedy was applied to its end.
	Applied bool `json:"applied"`
}

// maxRecord bounds a record; the largest thing in one is a small file.
const maxRecord = 1 << 20

var errRecord = errors.New("the record of what was there before is damaged")

// records are the files of one folder.
type records struct{ folder string }

func (r records) path(name Name) string { return filepath.Join(r.folder, string(name)+".json") }

// load returns nil where nothing was recorded.
func (r records) load(name Name) (*record, error) {
	info, err := os.Stat(r.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRecord {
		return nil, errRecord
	}
	raw, err := os.ReadFile(r.path(name))
	if err != nil {
		return nil, err
	}
	var one record
	if err := strictjson.Unmarshal(raw, &one); err != nil || one.V != version || one.Remedy != name {
		return nil, fmt.Errorf("%w: %s", errRecord, r.path(name))
	}
	return &one, nil
}

// save writes a record so that it survives a power cut.
func (r records) save(one record) error {
	raw, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if len(raw) > maxRecord {
		return errRecord
	}
	return writeDurably(r.path(one.Remedy), raw, 0o600)
}

func (r records) remove(name Name) error {
	if err := os.Remove(r.path(name)); err != nil {
		return err
	}
	return syncFolder(r.folder)
}

// writeDurably puts a file in place at once, whole, with its folder's entry.
func writeDurably(path string, data []byte, mode fs.FileMode) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".menshen-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	f, err := os.Open(folder) // #nosec G304 -- a constant folder below the root
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// entry is a line of the log.
type entry struct {
	At     time.Time `json:"at"`
	Do     Do        `json:"do"`
	Remedy Name      `json:"remedy"`
	// UID is the user whose process asked: the agent's, or root. It is
	// negative where the process acted on its own, at its start.
	UID     int     `json:"uid"`
	Problem Problem `json:"problem,omitempty"`
	Detail  string  `json:"detail,omitempty"`
}

// maxLog is the size at which the log begins anew, with one older one kept.
const maxLog = 4 << 20

// logFile appends to the durable log.
func (r records) log(e entry) error {
	path := filepath.Join(r.folder, "log.jsonl")
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return err
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) // #nosec G304 -- in the process's own folder
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}
