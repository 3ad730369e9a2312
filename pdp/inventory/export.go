package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Asset is one product in one version, as an agency reports it to VANS.
type Asset struct {
	Vendor  string `json:"vendor"`
	Product string `json:"product"`
	Version string `json:"version"`
	CPE     string `json:"cpe"` // CPE 2.3 formatted string
	// Guessed says that vendor and product are not in the table of names: a
	// person should look before the asset is reported.
	Guessed bool `json:"guessed,omitempty"`
	// Devices counts the machines that have it.
	Devices int `json:"devices"`
}

// Export is an agency's software as VANS asks for it.
type Export struct {
	Agency  string    `json:"agency"`
	At      time.Time `json:"at"`
	Devices int       `json:"devices"` // whose inventory is in it
	Assets  []Asset   `json:"assets"`
}

const pageSize = 100

// Export joins the inventories of an agency's devices: each product in each
// version once, with the number of machines. wanted says which devices count.
func (l *Library) Export(ctx context.Context, agency string, wanted func(deviceID string) bool) (Export, error) {
	out := Export{Agency: agency, At: l.Clock().UTC()}
	assets := map[string]*Asset{}
	for after := ""; ; {
		page, err := l.Store.Scan(ctx, store.Prefix(kind, agency), after, pageSize)
		if err != nil {
			return Export{}, fmt.Errorf("inventory: %w", err)
		}
		for _, record := range page.Records {
			if !wanted(record.Key[strings.LastIndexByte(record.Key, '/')+1:]) {
				continue
			}
			in, _, _, err := unpack(record)
			if err != nil {
				return Export{}, err
			}
			out.Devices++
			for name, a := range l.assets(in) {
				if assets[name] == nil {
					assets[name] = &a
				}
				assets[name].Devices++
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	out.Assets = make([]Asset, 0, len(assets))
	for _, a := range assets {
		out.Assets = append(out.Assets, *a)
	}
	slices.SortFunc(out.Assets, func(a, b Asset) int { return cmp.Compare(a.CPE, b.CPE) })
	return out, nil
}

// assets are one device's products by their CPE names. The many packages that a
// distribution makes of one source are one asset.
func (l *Library) assets(in wire.Inventory) map[string]Asset {
	all := map[string]Asset{}
	add := func(p product, version string, known bool) {
		name := cpeName(p, version)
		all[name] = Asset{Vendor: p.vendor, Product: p.product, Version: version, CPE: name, Guessed: !known}
	}
	p, known := l.Names.system(in.System)
	add(p, in.Release, known)
	for _, s := range in.Software {
		p, known := l.Names.product(s)
		add(p, makersVersion(s), known)
	}
	return all
}
