package pdp

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
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

// late is a store whose first look at portals arrives long after it was taken.
type late struct {
	store.Store
	once          sync.Once
	taken, arrive chan struct{}
}

func (l *late) Scan(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	page, err := l.Store.Scan(ctx, prefix, after, limit)
	if strings.HasPrefix(prefix, store.Prefix(directory.KindPortal, "")) {
		l.once.Do(func() {
			close(l.taken)
			<-l.arrive
		})
	}
	return page, err
}

// TestAnOlderLookAtHostsDoesNotWin: two portals change at once.
func TestAnOlderLookAtHostsDoesNotWin(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	names := directory.New(s, time.Now, rand.Reader)
	if _, err := names.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "機關", NameEN: "Agency"}); err != nil {
		t.Fatal(err)
	}
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := names.AddDevice(t.Context(), wire.Device{
		ID: id, Agency: "moda", Name: "H-1", Status: wire.DeviceActive, Provenance: wire.ProvenanceSoftware,
		AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: make([]byte, 32),
	}, "", nil, nil); err != nil {
		t.Fatal(err)
	}
	portal, _, err := names.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人", NameEN: "H", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	slow := &late{Store: s, taken: make(chan struct{}), arrive: make(chan struct{})}
	h := &hosts{names: directory.New(slow, time.Now, rand.Reader)}
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- h.read(context.Background()) }()
	<-slow.taken
	if _, err := names.SetPortalHosts(t.Context(), portal.ID, []string{id}); err != nil {
		t.Fatal(err)
	}
	go func() { second <- h.read(context.Background()) }()
	select {
	case err := <-second: // it went ahead
		second <- err
	case <-time.After(100 * time.Millisecond): // it waits for its turn
	}
	close(slow.arrive)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	if portals, known := h.served(id); !known || !slices.Equal(portals, []string{portal.ID}) {
		t.Errorf("%v %v", portals, known)
	}
}
