package reference_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

const (
	root  = "uid:0"
	other = "uid:1001"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fixture is a Keeper over a true store, with the true appraisal.
type fixture struct {
	*reference.Keeper
	config   reference.Config
	store    *bolt.Store
	file     string
	now      time.Time
	mu       sync.Mutex
	devices  []wire.Device
	told     []string
	approval ed25519.PrivateKey
}

func (f *fixture) Devices(_ context.Context, agency string) ([]wire.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []wire.Device
	for _, d := range f.devices {
		if d.Agency == agency {
			all = append(all, d)
		}
	}
	return all, nil
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{file: filepath.Join(t.TempDir(), "store"), now: noon}
	_, f.approval, _ = ed25519.GenerateKey(rand.Reader)
	policy := verifier.DefaultBootPolicy()
	f.config = reference.Config{
		Devices: f, Approval: f.approval, Approvers: 1, Clock: func() time.Time { return f.now }, Logger: slog.New(slog.DiscardHandler),
		Appraise: func(b wire.Boot, set *wire.ReferenceSet) wire.BootAppraisal {
			return verifier.AppraiseBoot(b, set, policy)
		},
		Wants: func(pcr int, kind wire.MeasurementKind) bool {
			return policy.Wants(verifier.BootPlace{PCR: pcr, Kind: kind})
		},
	}
	f.start(t)
	t.Cleanup(func() { _ = f.store.Close() })
	return f
}

// start opens the store and reads it, as after a crash.
func (f *fixture) start(t *testing.T) {
	t.Helper()
	if f.store != nil {
		if err := f.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if f.store, err = bolt.Open(f.file, bolt.Options{}); err != nil {
		t.Fatal(err)
	}
	f.config.Store = f.store
	if f.Keeper, err = reference.New(t.Context(), f.config); err != nil {
		t.Fatal(err)
	}
	f.Subscribe(func(agency string) { f.told = append(f.told, agency) })
}

// enrol adds a device that booted so.
func (f *fixture) enrol(t *testing.T, name, group string, boot wire.Boot) wire.Device {
	t.Helper()
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := wire.Device{ID: id, Agency: "moda", Name: name, Group: group, Status: wire.DeviceActive}
	f.mu.Lock()
	f.devices = append(f.devices, d)
	f.mu.Unlock()
	f.boots(t, d, boot)
	return d
}

func (f *fixture) boots(t *testing.T, d wire.Device, boot wire.Boot) {
	t.Helper()
	if err := f.Saw(t.Context(), d, boot); err != nil {
		t.Fatal(err)
	}
}

func digest(text string) []byte {
	d := sha256.Sum256([]byte(text))
	return d[:]
}

func measured(pcr int, kind wire.MeasurementKind, name, content string, members ...string) wire.Measurement {
	m := wire.Measurement{PCR: pcr, Kind: kind, Name: name, Digest: digest(content), Detail: content, Verified: true}
	for _, member := range members {
		m.Members = append(m.Members, digest(member))
	}
	return m
}

// booted is a laptop's boot with this boot loader; host is what differs on
// every machine.
func booted(loader, host string) wire.Boot {
	return wire.Boot{LogDigest: digest(loader + host), PCRDigest: digest("pcrs" + loader + host), SecureBoot: wire.SecureBootOn, Measurements: []wire.Measurement{
		measured(0, wire.MeasuredFirmware, "#1", "firmware 1"),
		measured(7, wire.MeasuredSecureBoot, "SecureBoot", "on"),
		measured(7, wire.MeasuredPK, "PK", "pk"), measured(7, wire.MeasuredKEK, "KEK", "kek"), measured(7, wire.MeasuredDB, "db", "db", "ms"),
		measured(7, wire.MeasuredDBX, "dbx", "dbx", "bad-1", "bad-2"),
		measured(7, wire.MeasuredAuthority, "db", "authority", "ms"),
		measured(1, wire.MeasuredSetting, "BootOrder", "order of "+host),
		measured(4, wire.MeasuredBootApplication, "#1", "shim"), measured(4, wire.MeasuredBootApplication, "#2", loader),
		measured(8, wire.MeasuredCommandLine, "#1", "/vmlinuz root=UUID=00000000-0000-0000-0000-"+host+" ro"),
		measured(9, wire.MeasuredFile, "/vmlinuz-6.1", "kernel"), measured(9, wire.MeasuredFile, "/initrd.img-6.1", "initrd of "+host),
	}}
}

const hostA, hostB, hostC = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"

func key(t *testing.T, ec bool) (crypto.Signer, []byte) {
	t.Helper()
	var key crypto.Signer
	var err error
	if ec {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, spki
}

// vendorBundle is a maker's bundle of one firmware value a version.
func vendorBundle(version uint64, entries ...string) wire.Bundle {
	b := wire.Bundle{Schema: 1, Issuer: "maker", Agency: wire.AnyAgency, ID: "laptop", Version: version, Created: noon}
	for _, content := range entries {
		b.Entries = append(b.Entries, wire.BundleEntry{PCR: 0, Kind: wire.MeasuredFirmware, Name: "#1", Digest: wire.HexDigest(digest(content)), Note: content})
	}
	return b
}

// states returns the state of each value of the place of the firmware.
func (f *fixture) states(contents ...string) map[string]wire.ReferenceState {
	out := map[string]wire.ReferenceState{}
	for _, v := range f.Set("moda").Values[wire.ReferenceKey{PCR: 0, Kind: wire.MeasuredFirmware, Name: "#1"}] {
		for _, content := range contents {
			if v.Digest == [32]byte(digest(content)) {
				out[content] = v.State
			}
		}
	}
	return out
}

func refusedWith(t *testing.T, name string, err error, code string) {
	t.Helper()
	var r *reference.Refusal
	if !errors.As(err, &r) || r.Reason().Code != code {
		t.Errorf("%s: %v, want %s", name, err, code)
	}
}

func ed25519Key() (ed25519.PublicKey, ed25519.PrivateKey, error) {
	return ed25519.GenerateKey(rand.Reader)
}
