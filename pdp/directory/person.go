package directory

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// handleSize is that of a WebAuthn user handle (WebAuthn 2, 14.6.1: random,
// nothing of the person in it).
const handleSize = 32

// CreatePerson adds a person to an existing agency. ID, Handle, CreatedAt and
// Disabled are set here, whatever p says.
func (d *Directory) CreatePerson(ctx context.Context, p wire.Person) (wire.Person, error) {
	for _, err := range []error{checkName("name", p.Name), checkAccount("account", p.Account), checkGroups(p.Groups)} {
		if err != nil {
			return wire.Person{}, err
		}
	}
	if _, err := d.Agency(ctx, p.Agency); err != nil {
		return wire.Person{}, fmt.Errorf("agency %q: %w", p.Agency, err)
	}
	var err error
	if p.ID, err = wire.NewID(wire.PrefixPerson, d.random); err != nil {
		return wire.Person{}, err
	}
	p.Handle = make([]byte, handleSize)
	if _, err := io.ReadFull(d.random, p.Handle); err != nil {
		return wire.Person{}, fmt.Errorf("directory: drawing a handle: %w", err)
	}
	p.Disabled, p.CreatedAt = false, d.clock().UTC()

	record, err := put(store.Key(KindPerson, p.Agency, p.ID), p)
	if err != nil {
		return wire.Person{}, err
	}
	account, handle := store.Key("person-account", p.Agency, p.Account), hexKey("person-handle", p.Handle)
	indexes, err := puts(p.ID, account, handle)
	if err != nil {
		return wire.Person{}, err
	}
	owner, err := put(ownerKey(p.ID), p.Agency)
	if err != nil {
		return wire.Person{}, err
	}
	ops := append(indexes, record, owner)
	change := Change{Kind: KindPerson, Agency: p.Agency, ID: p.ID}
	if err := d.create(ctx, absent(record.Key, account, handle, owner.Key), ops, change); err != nil {
		return wire.Person{}, err
	}
	return p, nil
}

// Person returns the person with this id.
func (d *Directory) Person(ctx context.Context, id string) (wire.Person, error) {
	if wire.CheckID(wire.PrefixPerson, id) != nil {
		return wire.Person{}, ErrNotFound
	}
	p, _, _, err := find[wire.Person](ctx, d, KindPerson, id)
	return p, err
}

// PersonByAccount returns the person with this account in this agency.
func (d *Directory) PersonByAccount(ctx context.Context, agency, account string) (wire.Person, error) {
	if checkAgencyID(agency) != nil || checkAccount("account", account) != nil {
		return wire.Person{}, ErrNotFound
	}
	id, _, err := get[string](ctx, d.store, store.Key("person-account", agency, account))
	if err != nil {
		return wire.Person{}, err
	}
	p, _, err := get[wire.Person](ctx, d.store, store.Key(KindPerson, agency, id))
	return p, err
}

// PersonByHandle returns the person with this WebAuthn user handle.
func (d *Directory) PersonByHandle(ctx context.Context, handle []byte) (wire.Person, error) {
	if len(handle) != handleSize {
		return wire.Person{}, ErrNotFound
	}
	id, _, err := get[string](ctx, d.store, hexKey("person-handle", handle))
	if err != nil {
		return wire.Person{}, err
	}
	p, err := d.Person(ctx, id)
	if err == nil && subtle.ConstantTimeCompare(p.Handle, handle) != 1 {
		return wire.Person{}, ErrNotFound
	}
	return p, err
}

// People returns the agency's people.
func (d *Directory) People(ctx context.Context, agency string) ([]wire.Person, error) {
	if checkAgencyID(agency) != nil {
		return nil, ErrNotFound
	}
	return list[wire.Person](ctx, d.store, store.Prefix(KindPerson, agency))
}

// SetDisabled disables or enables a person. A person already in that state is
// returned as is.
func (d *Directory) SetDisabled(ctx context.Context, id string, disabled bool) (wire.Person, error) {
	if wire.CheckID(wire.PrefixPerson, id) != nil {
		return wire.Person{}, ErrNotFound
	}
	return update(ctx, d, KindPerson, id,
		func(p *wire.Person) error { p.Disabled = disabled; return nil },
		func(p wire.Person) Change { return Change{Kind: KindPerson, Agency: p.Agency, ID: p.ID} })
}

// SignOut has every sign-in of the person up to now count for nothing.
func (d *Directory) SignOut(ctx context.Context, id string) (wire.Person, error) {
	if wire.CheckID(wire.PrefixPerson, id) != nil {
		return wire.Person{}, ErrNotFound
	}
	return update(ctx, d, KindPerson, id,
		func(p *wire.Person) error { p.SignedOutAt = d.clock().UTC(); return nil },
		func(p wire.Person) Change { return Change{Kind: KindPerson, Agency: p.Agency, ID: p.ID} })
}
