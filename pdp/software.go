package pdp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/inventory"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// newInventory opens the devices' inventories with the configured names and feed.
func newInventory(c InventoryConfig, s store.Store, logger *slog.Logger) (*inventory.Library, error) {
	names, err := inventory.LoadNames(c.Names)
	if err != nil {
		return nil, err
	}
	return inventory.New(inventory.Config{Store: s, Names: names, Clock: time.Now, Logger: logger, Feed: c.Feed})
}

// softwareRules hold devices against what the feed knows of their software.
type softwareRules struct {
	library *inventory.Library
	policy  verifier.VulnerabilityPolicy
	logger  *slog.Logger
}

func newSoftwareRules(c InventoryConfig, l *inventory.Library, logger *slog.Logger) softwareRules {
	s := softwareRules{library: l, logger: logger}
	if c.Feed != "" {
		s.policy = verifier.VulnerabilityPolicy{Within: c.ExploitedWithin.Duration, FeedLife: c.FeedLife.Duration}
	}
	return s
}

// add completes a device's rules. What cannot be read counts as not known.
func (s softwareRules) add(dev wire.Device, now time.Time, rules *verifier.Rules) {
	if s.library == nil {
		return
	}
	ctx := context.Background()
	digest, err := s.library.Digest(ctx, dev)
	if err == nil {
		rules.Vulnerabilities, err = s.library.Vulnerabilities(ctx, dev)
	}
	if err != nil {
		s.logger.Error("a device's list of software cannot be read", "device", dev.ID, "error", err)
	}
	rules.Inventory, rules.Policy.Vulnerabilities = digest, s.policy
	rules.Version += fmt.Sprintf(" software %x", digest)
	rules.Version += s.version(rules.Vulnerabilities, now)
}

// version changes with all that the feed says, since one may be put right
// without a new date; with the day, because what is known to be exploited grows
// old; and when the feed itself is too old.
func (s softwareRules) version(v *wire.Vulnerabilities, now time.Time) string {
	if v == nil {
		return ""
	}
	over := now.Sub(v.FeedAsOf) > s.policy.FeedLife
	return fmt.Sprintf(" found %v over %v day %d", *v, over, now.Unix()/int64(day/time.Second))
}

func (p *PDP) forgetSoftware(dev wire.Device) {
	if err := p.software.Forget(context.Background(), dev); err != nil {
		p.logger.Error("a retired device's list of software stays", "device", dev.ID, "error", err)
	}
}

// adminInventories is what administration sees of the inventories.
type adminInventories struct{ *inventory.Library }

// Software implements admin.Inventories.
func (i adminInventories) Software(ctx context.Context, dev wire.Device) (client.Software, error) {
	in, digest, at, err := i.Library.Software(ctx, dev)
	if err != nil {
		return client.Software{}, err
	}
	found, err := i.Vulnerabilities(ctx, dev)
	return client.Software{At: at, Digest: digest, Inventory: in, Vulnerabilities: found}, err
}

// Export implements admin.Inventories.
func (i adminInventories) Export(ctx context.Context, agency string, wanted func(string) bool) (client.SoftwareExport, error) {
	all, err := i.Library.Export(ctx, agency, wanted)
	out := client.SoftwareExport{Agency: all.Agency, At: all.At, Devices: all.Devices}
	for _, a := range all.Assets {
		out.Assets = append(out.Assets, client.Asset(a))
	}
	return out, err
}
