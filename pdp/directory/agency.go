package directory

import (
	"context"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func agencyKey(id string) string { return store.Key("agency", nobody, id) }

// CreateAgency adds an agency under a new id.
func (d *Directory) CreateAgency(ctx context.Context, a wire.Agency) (wire.Agency, error) {
	if err := checkAgencyID(a.ID); err != nil {
		return wire.Agency{}, err
	}
	if err := checkName("Chinese name", a.NameZH); err != nil {
		return wire.Agency{}, err
	}
	if err := checkName("English name", a.NameEN); err != nil {
		return wire.Agency{}, err
	}
	op, err := put(agencyKey(a.ID), a)
	if err != nil {
		return wire.Agency{}, err
	}
	change := Change{Kind: KindAgency, Agency: a.ID, ID: a.ID}
	if err := d.create(ctx, absent(op.Key), []store.Op{op}, change); err != nil {
		return wire.Agency{}, err
	}
	return a, nil
}

// Agency returns one agency.
func (d *Directory) Agency(ctx context.Context, id string) (wire.Agency, error) {
	if checkAgencyID(id) != nil {
		return wire.Agency{}, ErrNotFound
	}
	a, _, err := get[wire.Agency](ctx, d.store, agencyKey(id))
	return a, err
}

// Agencies returns all agencies in the order of their ids.
func (d *Directory) Agencies(ctx context.Context) ([]wire.Agency, error) {
	return list[wire.Agency](ctx, d.store, store.Prefix("agency", nobody))
}
