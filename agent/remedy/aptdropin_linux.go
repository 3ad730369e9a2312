package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// aptDropIn switches apt's daily service on by a file of its own, which is read
// after the others (apt.conf(5)).
type aptDropIn struct{ root string }

const (
	aptFolder = "etc/apt/apt.conf.d"
	aptFile   = "99menshen-automatic-updates"
	aptText   = `// Written by menshen-agent; "menshen-agent fix --undo automatic-updates" takes it away.
APT::Periodic::Enable "1";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
`
	aptUpgrader = "usr/bin/unattended-upgrade"
	// maxDropIn bounds a file of that name that was there already.
	maxDropIn = 64 << 10
)

var errNoUpgrader = errors.New("unattended-upgrades is not installed: sudo apt install unattended-upgrades")

// fileBefore is a file as it was; there was none where There is false.
type fileBefore struct {
	There bool        `json:"there"`
	Mode  fs.FileMode `json:"mode,omitempty"`
	Data  []byte      `json:"data,omitempty"`
}

func (a *aptDropIn) path() string { return filepath.Join(a.root, aptFolder, aptFile) }

func (a *aptDropIn) before(context.Context) (json.RawMessage, error) {
	if _, err := os.Stat(filepath.Join(a.root, aptUpgrader)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoUpgrader, err)
	}
	info, err := os.Lstat(a.path())
	if errors.Is(err, fs.ErrNotExist) {
		return json.Marshal(fileBefore{})
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxDropIn {
		return nil, fmt.Errorf("%s is there and is not a small file", a.path())
	}
	data, err := os.ReadFile(a.path())
	if err != nil {
		return nil, err
	}
	return json.Marshal(fileBefore{There: true, Mode: info.Mode().Perm(), Data: data})
}

func (a *aptDropIn) apply(context.Context) error {
	return writeDurably(a.path(), []byte(aptText), 0o644)
}

func (a *aptDropIn) restore(_ context.Context, before json.RawMessage) error {
	var b fileBefore
	if err := strictjson.Unmarshal(before, &b); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	if b.There {
		return writeDurably(a.path(), b.Data, b.Mode)
	}
	if err := os.Remove(a.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(filepath.Dir(a.path()))
}
