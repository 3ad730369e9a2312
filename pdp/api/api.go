// Package api is the agents' port: HTTPS with client certificates, strict and
// bounded JSON, documented in docs/agents-openapi.yaml. It decides nothing; it
// knows who is speaking and hands on what was said.
//
// Guarantees:
//   - A device is known by the pinned digest of the key that its connection
//     proved (TLS 1.3, RFC 8446 4.4.3), never by a field.
//   - Unknown, pending and retired devices get 403 with their own codes.
//   - Every body, queue, wait and number of requests under way is bounded, so
//     that a flood of enrolments leaves room for known devices.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/pace"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Devices finds a device by its pinned key. A missing one gives an error that
// wraps store.ErrNotFound.
type Devices interface {
	DeviceBySPKI(ctx context.Context, spki [32]byte) (wire.Device, error)
}

// Enrolment makes devices known.
type Enrolment interface {
	Start(ctx context.Context, in wire.EnrolStart, tlsSPKI [32]byte, peer string) (wire.EnrolChallenge, error)
	Finish(ctx context.Context, in wire.EnrolFinish, tlsSPKI [32]byte) (wire.Enrolled, error)
}

// Appraisal asks devices for Evidence and judges it.
type Appraisal interface {
	Nonce(ctx context.Context, dev wire.Device, channel [32]byte) (wire.NonceAnswer, error)
	Attest(ctx context.Context, dev wire.Device, channel [32]byte, in wire.AttestRequest) (wire.AttestAnswer, error)
	Connected(deviceID string) (release func())
	Commands(ctx context.Context, deviceID string) []wire.Command
	Remedied(ctx context.Context, dev wire.Device, in wire.RemedyReport) error
}

// Confirmer takes a device's word that a browser on it holds a ceremony's nonce.
type Confirmer interface {
	Confirm(ctx context.Context, deviceID string, c wire.DeviceConfirmation, peerNetwork string) error
}

// Inventories keeps what software devices have. Keep takes the exact bytes and
// returns their digest.
type Inventories interface {
	Keep(ctx context.Context, dev wire.Device, raw []byte) ([]byte, error)
}

// Config is what an API needs; every interface is required.
type Config struct {
	Devices     Devices
	Enrolment   Enrolment
	Appraisal   Appraisal
	Confirmer   Confirmer
	Inventories Inventories
	Clock       func() time.Time
	Logger      *slog.Logger
	Limits      Limits // zero fields mean the defaults
}

// Limits bound what may be under way at once.
type Limits struct {
	Enrolments           int // in all
	EnrolmentsPerNetwork int // from one IPv4 /24 or IPv6 /56
	PollsPerDevice       int
	AttestationsAtOnce   int // in all
	InventoriesAtOnce    int // in all
	AttestBurst          int // requests of one device, beyond one a second
}

func (l *Limits) complete() {
	for field, standard := range map[*int]int{
		&l.Enrolments: 32, &l.EnrolmentsPerNetwork: 8, &l.PollsPerDevice: 3, &l.AttestationsAtOnce: 64, &l.InventoriesAtOnce: 4, &l.AttestBurst: 40,
	} {
		if *field <= 0 {
			*field = standard
		}
	}
}

// API is an http.Handler. It is safe for concurrent use.
type API struct {
	Config
	routes      map[string]route
	enrolments  *gate
	networks    *gate
	polls       *gate
	attests     *gate // in all
	attesting   *gate // by device
	confirms    *gate
	inventories *gate // in all
	listing     *gate // by device
	pace        *pace.Pace
	strangers   atomic.Uint64
	// serving ends when a server is shut down: polls do not wait for more.
	serving context.Context
	end     context.CancelFunc
}

type route struct {
	method string
	serve  func(http.ResponseWriter, *http.Request, caller)
	// open says that callers who are no device yet may come.
	open bool
}

// New returns an API.
func New(c Config) (*API, error) {
	for name, missing := range map[string]bool{
		"devices": c.Devices == nil, "enrolment": c.Enrolment == nil, "appraisal": c.Appraisal == nil,
		"confirmer": c.Confirmer == nil, "inventories": c.Inventories == nil, "clock": c.Clock == nil, "logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("api: no %s", name)
		}
	}
	c.Limits.complete()
	a := &API{
		Config:      c,
		enrolments:  newGate(c.Limits.Enrolments),
		networks:    newGate(c.Limits.EnrolmentsPerNetwork),
		polls:       newGate(c.Limits.PollsPerDevice),
		attests:     newGate(c.Limits.AttestationsAtOnce),
		attesting:   newGate(2),
		confirms:    newGate(2),
		inventories: newGate(c.Limits.InventoriesAtOnce),
		listing:     newGate(1),
		pace:        pace.New(c.Limits.AttestBurst, time.Second),
	}
	a.serving, a.end = context.WithCancel(context.Background()) // #nosec G118 -- a shutdown calls it
	a.routes = map[string]route{
		"/v1/enrol/start":  {http.MethodPost, a.enrolStart, true},
		"/v1/enrol/finish": {http.MethodPost, a.enrolFinish, true},
		"/v1/attest/nonce": {http.MethodPost, a.attestNonce, false},
		"/v1/attest":       {http.MethodPost, a.attest, false},
		"/v1/confirm":      {http.MethodPost, a.confirm, false},
		"/v1/inventory":    {http.MethodPost, a.inventory, false},
		"/v1/remedy":       {http.MethodPost, a.remedy, false},
		"/v1/poll":         {http.MethodGet, a.poll, false},
	}
	return a, nil
}

// Strangers counts the requests of callers who are no active device.
func (a *API) Strangers() uint64 { return a.strangers.Load() }

var errNoCertificate = errors.New("api: the connection proved no key")
