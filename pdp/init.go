package pdp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/keyring"
	"github.com/menshen-zt/menshen/pdp/token"
)

// linkLife is how long an administrator has to register the first key.
const linkLife = 24 * time.Hour

// First is the first agency and its administrator.
type First struct {
	Agency        wire.Agency
	Account, Name string
}

// Made is what Init made, for the operator's eyes.
type Made struct {
	Agency, PersonID string
	// Link registers the administrator's security key, once.
	Link string
	// Fingerprint is SHA-256 over the agents' CA, hexadecimal.
	Fingerprint string
}

// Init makes keys, store and audit log, the first agency and its first
// administrator. A data folder that has keys is left alone, and so is one whose
// store another PDP holds (design: invariant 12).
func Init(ctx context.Context, c Config, first First) (made Made, err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return made, fmt.Errorf("pdp: %w", err)
	}
	authority, err := keyring.NewAuthority(time.Now())
	if err != nil {
		return made, err
	}
	if err := keyring.Create(keysDir(c), authority); err != nil {
		return made, err
	}
	o, err := newOperations(ctx, Config{}, "", quiet()) // nobody looks
	if err != nil {
		return made, err
	}
	s, err := openState(c, o, quiet())
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fingerprint := authority.Fingerprint()
	made = Made{Agency: first.Agency.ID, Fingerprint: hex.EncodeToString(fingerprint[:])}
	made.PersonID, err = firstAdministrator(ctx, c, s, first)
	if err != nil {
		return made, err
	}
	people, err := newCeremony(c, s, directory.New(s.store, time.Now, rand.Reader), nil, quiet())
	if err != nil {
		return made, err
	}
	made.Link, err = people.NewLink(ctx, made.PersonID, linkLife)
	return made, err
}

func firstAdministrator(ctx context.Context, c Config, s *state, first First) (string, error) {
	detail, err := json.Marshal(map[string]string{"action": "init", "agency": first.Agency.ID, "account": first.Account})
	if err != nil {
		return "", err
	}
	if _, err := s.log.Append(ctx, wire.AuditRecord{Kind: wire.AuditAdmin, At: time.Now().UTC(), Agency: first.Agency.ID, Detail: detail}); err != nil {
		return "", err
	}
	names := directory.New(s.store, time.Now, rand.Reader)
	agency, err := names.CreateAgency(ctx, first.Agency)
	if err != nil {
		return "", err
	}
	issuer, err := token.New(token.Config{Dir: tokenDir(c), Origin: c.Web.Origin, Agencies: names, Clock: time.Now, Random: rand.Reader})
	if err != nil {
		return "", err
	}
	if err := errors.Join(issuer.Ensure(agency.ID), issuer.Close()); err != nil {
		return "", err
	}
	person, err := names.CreatePerson(ctx, wire.Person{Agency: agency.ID, Account: first.Account, Name: first.Name, Admin: true})
	return person.ID, err
}
