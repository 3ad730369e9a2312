package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func sample() *State {
	return &State{
		DeviceID: "dev-" + strings.Repeat("0", 26), DeviceName: "LT-2231", Agency: "moda",
		Provenance: wire.ProvenanceTPM, PDP: "pdp.test:8444", CADigest: make([]byte, 32),
		CACertificate: []byte{1}, WebOrigin: "https://pdp.test", Keys: Secret(`{"auth":"c2VjcmV0"}`),
		Enrolled: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
	}
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	f := At(filepath.Join(t.TempDir(), "state.json"))
	if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
		t.Fatalf("without a file: %v", err)
	}
	if err := f.Writable(); err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Last = &Last{Accepted: true, At: want.Enrolled}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got.DeviceID != want.DeviceID || string(got.Keys) == "" || got.Last == nil || !got.Last.Accepted {
		t.Errorf("got %+v", got)
	}
	var keys map[string]string
	if err := json.Unmarshal(got.Keys, &keys); err != nil || keys["auth"] != "c2VjcmV0" {
		t.Errorf("keys: %v %v", keys, err)
	}
	info, err := os.Stat(f.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAFileOpenToOthersIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o644} {
		f := At(filepath.Join(t.TempDir(), "state.json"))
		if err := f.Save(sample()); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f.Path(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Load(); !errors.Is(err, ErrExposed) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

func TestADamagedFileIsReportedAndNeverWrittenOver(t *testing.T) {
	whole, err := json.Marshal(func() *State { s := sample(); s.V = Version; return s }())
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"empty":       {},
		"cut":         whole[:len(whole)/2],
		"no JSON":     []byte("hello"),
		"trailing":    append(bytes.Clone(whole), "{}"...),
		"new version": bytes.Replace(whole, []byte(`"v":1`), []byte(`"v":2`), 1),
		"unknown key": bytes.Replace(whole, []byte(`"v":1`), []byte(`"v":1,"x":1`), 1),
		"twice":       bytes.Replace(whole, []byte(`"v":1`), []byte(`"v":1,"v":1`), 1),
		"no id":       bytes.Replace(whole, []byte(`"dev-`), []byte(`"per-`), 1),
		"huge":        bytes.Repeat([]byte(" "), maxBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			f := At(filepath.Join(t.TempDir(), "state.json"))
			if err := os.WriteFile(f.Path(), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Load(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("loading: %v", err)
			}
			if err := f.Save(sample()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("saving over it: %v", err)
			}
			if after, err := os.ReadFile(f.Path()); err != nil || !bytes.Equal(after, raw) {
				t.Errorf("the file changed: %v", err)
			}
		})
	}
}

func TestANonRegularFileIsRefused(t *testing.T) {
	f := At(t.TempDir())
	if _, err := f.Load(); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a directory: %v", err)
	}
}

func TestAnIncompleteStateIsNotWritten(t *testing.T) {
	f := At(filepath.Join(t.TempDir(), "state.json"))
	s := sample()
	s.Keys = nil
	if err := f.Save(s); err == nil {
		t.Error("saved without keys")
	}
	if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("%v", err)
	}
}

func TestRemoveForgets(t *testing.T) {
	f := At(filepath.Join(t.TempDir(), "state.json"))
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("%v", err)
	}
}

func TestOneAgentAtATime(t *testing.T) {
	f := At(filepath.Join(t.TempDir(), "state.json"))
	release, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := At(f.Path()).Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	release()
	again, err := f.Lock()
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again()
}

func TestSecretsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	s := sample()
	slog.New(slog.NewTextHandler(&log, nil)).Info("state", "keys", s.Keys)
	fmt.Fprintf(&log, "%v %+v %#v %s", s.Keys, *s, *s, s.Keys)
	if strings.Contains(log.String(), "c2VjcmV0") {
		t.Error(log.String())
	}
}

func FuzzDecode(f *testing.F) {
	whole, err := json.Marshal(func() *State { s := sample(); s.V = Version; return s }())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decode(bytes.NewReader(raw))
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("a loaded state does not marshal: %v", err)
		}
		if _, err := decode(bytes.NewReader(again)); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
	})
}
