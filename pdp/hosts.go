package pdp

import (
	"context"
	"slices"
	"sync"

	"github.com/menshen-zt/menshen/pdp/directory"
)

// hosts knows which portals a device serves, so that a change of its standing
// reaches their sessions (requirements 20).
type hosts struct {
	names *directory.Directory

	// reading keeps an older look at the portals from overwriting a newer one.
	reading sync.Mutex

	mu       sync.Mutex
	byPortal map[string][]string
	// doubted says that a portal could not be read: every device may then
	// serve any.
	doubted bool
}

func newHosts(ctx context.Context, names *directory.Directory) (*hosts, error) {
	h := &hosts{names: names, byPortal: map[string][]string{}}
	return h, h.read(ctx)
}

// read reads all portals anew.
func (h *hosts) read(ctx context.Context) error {
	h.reading.Lock()
	defer h.reading.Unlock()
	all, err := h.portals(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doubted = err != nil; h.doubted {
		return err
	}
	h.byPortal = all
	return nil
}

func (h *hosts) portals(ctx context.Context) (map[string][]string, error) {
	agencies, err := h.names.Agencies(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, a := range agencies {
		portals, err := h.names.Portals(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		for _, p := range portals {
			if len(p.Hosts) > 0 {
				all[p.ID] = p.Hosts
			}
		}
	}
	return all, nil
}

// served returns the portals that a device serves; not known if any may be.
func (h *hosts) served(deviceID string) (portals []string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for portal, devices := range h.byPortal {
		if slices.Contains(devices, deviceID) {
			portals = append(portals, portal)
		}
	}
	return portals, !h.doubted
}
