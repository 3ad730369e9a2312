// Package admin serves the administrators' Unix socket: JSON over HTTP, for
// menshenctl. It is the only way in for administration at first; nothing on
// the network leads here (design: invariant 12).
//
// Guarantees:
//   - Every connection's user is taken from the kernel (SO_PEERCRED). Only
//     root and the configured users are served; others are refused and recorded.
//   - A change is recorded before it is made, with who asked, and its outcome
//     before it is acknowledged. What cannot be recorded is not done.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Directory is what administration needs of it. Errors wrap store.ErrNotFound
// and store.ErrConflict, or carry a reason.
type Directory interface {
	CreateAgency(ctx context.Context, a wire.Agency) (wire.Agency, error)
	Agency(ctx context.Context, id string) (wire.Agency, error)
	Agencies(ctx context.Context) ([]wire.Agency, error)

	CreatePerson(ctx context.Context, p wire.Person) (wire.Person, error)
	Person(ctx context.Context, id string) (wire.Person, error)
	PersonByAccount(ctx context.Context, agency, account string) (wire.Person, error)
	People(ctx context.Context, agency string) ([]wire.Person, error)
	SetDisabled(ctx context.Context, id string, disabled bool) (wire.Person, error)
	Key(ctx context.Context, id string) (wire.SecurityKey, error)
	Keys(ctx context.Context, personID string) ([]wire.SecurityKey, error)
	RevokeKey(ctx context.Context, keyID string) error

	CreatePortal(ctx context.Context, p wire.Portal) (created wire.Portal, secret string, err error)
	Portals(ctx context.Context, agency string) ([]wire.Portal, error)

	Device(ctx context.Context, id string) (wire.Device, error)
	DeviceByName(ctx context.Context, agency, name string) (wire.Device, error)
	Devices(ctx context.Context, agency string) ([]wire.Device, error)
	ApproveDevice(ctx context.Context, id string) (wire.Device, error)
	RetireDevice(ctx context.Context, id string) (wire.Device, error)
	QuarantineDevice(ctx context.Context, id, why string) (wire.Device, error)
	ReleaseDevice(ctx context.Context, id, why string) (wire.Device, error)
	AssignDevice(ctx context.Context, id, personID string) (wire.Device, error)
	GroupDevice(ctx context.Context, id, group string) (wire.Device, error)

	Portal(ctx context.Context, id string) (wire.Portal, error)
	SetPortalHosts(ctx context.Context, id string, hosts []string) (wire.Portal, error)
	PortalRules
}

// Transfers moves devices between agencies.
type Transfers interface {
	TransferDevice(ctx context.Context, id string, to client.Transfer) (wire.Device, error)
}

// Codes issues enrolment codes.
type Codes interface {
	IssueCode(ctx context.Context, agency, deviceName, by string, life time.Duration) (string, error)
	// IssueReplacement's code lets another TPM take the place of a living device.
	IssueReplacement(ctx context.Context, agency, deviceName, by string, life time.Duration) (string, error)
	// IssueCodes makes one code for each name of a CSV list.
	IssueCodes(ctx context.Context, agency, by string, life time.Duration, csv []byte) ([]wire.IssuedCode, error)
}

// Expected keeps the lists of devices that are expected to enrol.
type Expected interface {
	ImportExpected(ctx context.Context, agency, name, by string, csv []byte) (list wire.ExpectedList, approved int, err error)
	ExpectedLists(ctx context.Context, agency string) ([]wire.ExpectedList, error)
	ExpectedDevices(ctx context.Context, agency, list string) ([]wire.ExpectedDevice, error)
	RemoveExpected(ctx context.Context, agency, list string) error
}

// Links makes one-time key registration links.
type Links interface {
	NewLink(ctx context.Context, personID string, life time.Duration) (string, error)
}

// Standings knows how far devices can be relied on.
type Standings interface {
	Standing(deviceID string) wire.DeviceStanding
}

// Repairs asks devices' agents to repair what their own administrators allow.
// RepairOf's error wraps store.ErrNotFound for a repair that is not remembered.
type Repairs interface {
	Repair(dev wire.Device, claim wire.ClaimID, by string) (wire.Repair, error)
	RepairOf(deviceID, id string) (wire.Repair, error)
}

// Sessions knows the portal sessions. Revoke's error wraps store.ErrNotFound
// for a session that is not known.
type Sessions interface {
	Sessions(personID string) []client.Session
	Revoke(ctx context.Context, sessionID string) error
	RevokePerson(ctx context.Context, personID string) (int, error)
}

// Recorder returns when the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Config is what an Admin needs; every field but UIDs is required.
type Config struct {
	Directory   Directory
	Transfers   Transfers
	Codes       Codes
	Expected    Expected
	Links       Links
	Standings   Standings
	Repairs     Repairs
	Sessions    Sessions
	Decisions   Decisions
	Policies    Policies
	PolicySets  PolicySets
	References  References
	Exceptions  Exceptions
	Appeals     Appeals
	Plugins     Plugins
	SigningKeys SigningKeys
	Baselines   Baselines
	Inventories Inventories
	Trust       Trust
	// Applications are the rules that applications bring themselves.
	Applications Applications
	// Receivers and Sources are those of security events.
	Receivers Receivers
	Sources   Sources
	Status    func(ctx context.Context) client.Status
	Recorder  Recorder
	Clock     func() time.Time
	Logger    *slog.Logger
	// UIDs are the users besides root who may administer.
	UIDs []uint32
}

// Admin is an http.Handler for connections of Listen's listener, served by
// Server. It is safe for concurrent use.
type Admin struct {
	Config
	mux     *http.ServeMux
	refused refusals
}

// New returns an Admin.
func New(c Config) (*Admin, error) {
	for name, missing := range map[string]bool{
		"directory": c.Directory == nil, "transfers": c.Transfers == nil, "codes": c.Codes == nil, "expected": c.Expected == nil, "links": c.Links == nil, "standings": c.Standings == nil, "repairs": c.Repairs == nil,
		"sessions": c.Sessions == nil, "decisions": c.Decisions == nil, "policies": c.Policies == nil, "policy sets": c.PolicySets == nil, "references": c.References == nil, "exceptions": c.Exceptions == nil, "appeals": c.Appeals == nil, "signing keys": c.SigningKeys == nil, "baselines": c.Baselines == nil, "status": c.Status == nil, "trust": c.Trust == nil, "plugins": c.Plugins == nil,
		"applications": c.Applications == nil, "receivers": c.Receivers == nil, "sources": c.Sources == nil,
		"recorder": c.Recorder == nil, "clock": c.Clock == nil, "logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("admin: no %s", name)
		}
	}
	c.UIDs = slices.Clone(c.UIDs)
	a := &Admin{Config: c}
	a.refused.users = map[uint32]*refusedUser{}
	a.mux = a.newMux()
	return a, nil
}

// Server returns the server for the administrators' listener.
func (a *Admin) Server() *http.Server {
	return &http.Server{
		Handler:           a,
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
}

var errNoPeer = errors.New("admin: the connection's user is not known")
