package pdp

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// TestAHostsChangeReachesThePortalsThatItServes, as portals name and drop it,
// and every portal while they cannot be read.
func TestAHostsChangeReachesThePortalsThatItServes(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	names := directory.New(s, time.Now, rand.Reader)
	if _, err := names.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "機關", NameEN: "Agency"}); err != nil {
		t.Fatal(err)
	}
	device := func(name string, tls byte) string {
		t.Helper()
		id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		spki := make([]byte, 32)
		spki[0] = tls
		if err := names.AddDevice(t.Context(), wire.Device{
			ID: id, Agency: "moda", Name: name, Status: wire.DeviceActive, Provenance: wire.ProvenanceSoftware,
			AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: spki,
		}, "", nil, nil); err != nil {
			t.Fatal(err)
		}
		return id
	}
	portal := func(origin string) string {
		t.Helper()
		p, _, err := names.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人", NameEN: "H", Origin: origin, Sensitivity: wire.PortalNormal})
		if err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	a, b, hr, mail := device("H-1", 1), device("H-2", 2), portal("https://hr.example"), portal("https://mail.example")
	h, err := newHosts(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	names.Subscribe(func(c directory.Change) {
		if c.Kind == directory.KindPortal {
			if err := h.read(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	wants := func(deviceID string, portals ...string) {
		t.Helper()
		got, known := h.served(deviceID)
		slices.Sort(got)
		slices.Sort(portals)
		if !known || !slices.Equal(got, portals) {
			t.Errorf("%v %v, want %v", got, known, portals)
		}
	}
	set := func(portal string, hosts ...string) {
		t.Helper()
		if _, err := names.SetPortalHosts(t.Context(), portal, hosts); err != nil {
			t.Fatal(err)
		}
	}
	wants(a)
	set(hr, a, b)
	set(mail, b)
	wants(a, hr)
	wants(b, hr, mail)
	set(hr, a)
	wants(b, mail)
	// After a restart the same is known.
	if h, err = newHosts(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	wants(b, mail)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if h.read(t.Context()) == nil {
		t.Error("a closed store was read")
	}
	if _, known := h.served(a); known {
		t.Error("what could not be read is taken for known")
	}
}
