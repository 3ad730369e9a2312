package directory

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// CreatePortal adds a portal to an existing agency and returns the bearer
// secret that its proxy presents. The secret is 256 random bits in base64url
// and is told this once: the store holds SHA-256 of its text.
func (d *Directory) CreatePortal(ctx context.Context, p wire.Portal) (created wire.Portal, secret string, err error) {
	if err := checkPortal(p); err != nil {
		return wire.Portal{}, "", err
	}
	if _, err := d.Agency(ctx, p.Agency); err != nil {
		return wire.Portal{}, "", fmt.Errorf("agency %q: %w", p.Agency, err)
	}
	if p.ID, err = wire.NewID(wire.PrefixPortal, d.random); err != nil {
		return wire.Portal{}, "", err
	}
	var raw [32]byte
	if _, err := io.ReadFull(d.random, raw[:]); err != nil {
		return wire.Portal{}, "", fmt.Errorf("directory: drawing a secret: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(raw[:])
	hash := sha256.Sum256([]byte(secret))
	p.SecretHash = hash[:]
	conditions, ops, err := portalOps(p)
	if err != nil {
		return wire.Portal{}, "", err
	}
	change := Change{Kind: KindPortal, Agency: p.Agency, ID: p.ID}
	if err := d.create(ctx, conditions, ops, change); err != nil {
		return wire.Portal{}, "", err
	}
	return p, secret, nil
}

func checkPortal(p wire.Portal) error {
	if p.Sensitivity != wire.PortalNormal && p.Sensitivity != wire.PortalSensitive {
		return wrong("sensitivity", reason.CfgSensitivity)
	}
	for _, err := range []error{checkName("Chinese name", p.NameZH), checkName("English name", p.NameEN), checkOrigin(p.Origin)} {
		if err != nil {
			return err
		}
	}
	return nil
}

func portalOps(p wire.Portal) ([]store.Compare, []store.Op, error) {
	record, err := put(store.Key(KindPortal, p.Agency, p.ID), p)
	if err != nil {
		return nil, nil, err
	}
	owner, err := put(ownerKey(p.ID), p.Agency)
	if err != nil {
		return nil, nil, err
	}
	// One origin is one portal in all agencies: its cookies are.
	origin, secret := originKey(p.Origin), hexKey("portal-secret", p.SecretHash)
	indexes, err := puts(p.ID, origin, secret)
	if err != nil {
		return nil, nil, err
	}
	return absent(record.Key, owner.Key, origin, secret), append(indexes, record, owner), nil
}

func originKey(origin string) string {
	digest := sha256.Sum256([]byte(origin))
	return hexKey("portal-origin", digest[:])
}

// Portal returns the portal with this id.
func (d *Directory) Portal(ctx context.Context, id string) (wire.Portal, error) {
	if wire.CheckID(wire.PrefixPortal, id) != nil {
		return wire.Portal{}, ErrNotFound
	}
	p, _, _, err := find[wire.Portal](ctx, d, KindPortal, id)
	return p, err
}

// Portals returns the agency's portals.
func (d *Directory) Portals(ctx context.Context, agency string) ([]wire.Portal, error) {
	if checkAgencyID(agency) != nil {
		return nil, ErrNotFound
	}
	return list[wire.Portal](ctx, d.store, store.Prefix(KindPortal, agency))
}

// PortalBySecret returns the portal whose bearer secret's text has this
// SHA-256 digest.
func (d *Directory) PortalBySecret(ctx context.Context, secretHash [32]byte) (wire.Portal, error) {
	id, _, err := get[string](ctx, d.store, hexKey("portal-secret", secretHash[:]))
	if err != nil {
		return wire.Portal{}, err
	}
	p, err := d.Portal(ctx, id)
	if err == nil && subtle.ConstantTimeCompare(p.SecretHash, secretHash[:]) != 1 {
		return wire.Portal{}, ErrNotFound
	}
	return p, err
}

// maxHosts bounds the machines that serve one portal.
const maxHosts = 64

// SetPortalHosts names the devices that serve a portal's application; none
// takes the names away. Each is a device of the portal's agency that is not
// retired.
func (d *Directory) SetPortalHosts(ctx context.Context, id string, hosts []string) (wire.Portal, error) {
	if wire.CheckID(wire.PrefixPortal, id) != nil {
		return wire.Portal{}, ErrNotFound
	}
	p, err := d.Portal(ctx, id)
	if err != nil {
		return wire.Portal{}, err
	}
	if len(hosts) > maxHosts {
		return wire.Portal{}, wrong("hosts", reason.CfgHosts)
	}
	for i, host := range hosts {
		dev, err := d.Device(ctx, host)
		if err != nil {
			return wire.Portal{}, fmt.Errorf("host %q: %w", host, err)
		}
		if dev.Agency != p.Agency || dev.Status == wire.DeviceRetired || slices.Contains(hosts[:i], host) {
			return wire.Portal{}, wrong("hosts", reason.CfgHosts)
		}
	}
	return update(ctx, d, KindPortal, id,
		func(p *wire.Portal) error { p.Hosts = slices.Clone(hosts); return nil },
		func(p wire.Portal) Change { return Change{Kind: KindPortal, Agency: p.Agency, ID: p.ID} })
}
