package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// caller is who speaks, as the connection proved it.
type caller struct {
	spki    [sha256.Size]byte
	channel [sha256.Size]byte
	address netip.Addr
	device  wire.Device // zero where the route is open
}

func (c *caller) network() string { return wire.NetworkOf(c.address) }

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, ok := a.routes[r.URL.Path]
	if !ok {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	}
	if r.Method != to.method {
		w.Header().Set("Allow", to.method)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	who, err := identify(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if !to.open {
		if who.device, err = a.device(r.Context(), who.spki); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	to.serve(w, r, who)
}

func identify(r *http.Request) (caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return caller{}, errNoCertificate
	}
	var c caller
	var err error
	c.spki = sha256.Sum256(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if c.channel, err = channelOf(r.TLS); err != nil {
		return caller{}, err
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.address = peer.Addr().Unmap()
	}
	return c, nil
}

// refusal is a caller whom this port does not serve.
type refusal struct{ why wire.Reason }

func (r refusal) Error() string       { return "api: refused: " + r.why.Code }
func (r refusal) Reason() wire.Reason { return r.why }

// device returns the device that was pinned with this key, if it is in
// service: a quarantined one attests too, so that it can be looked into.
func (a *API) device(ctx context.Context, spki [sha256.Size]byte) (wire.Device, error) {
	dev, err := a.Devices.DeviceBySPKI(ctx, spki)
	var why wire.Reason
	switch {
	case errors.Is(err, store.ErrNotFound):
		why = reason.New(reason.DeviceUnknown)
	case err != nil:
		return wire.Device{}, err
	case dev.Status == wire.DeviceActive || dev.Status == wire.DeviceQuarantined:
		return dev, nil
	case dev.Status == wire.DevicePending && dev.Provenance == wire.ProvenanceSoftware:
		why = reason.New(reason.DeviceWaitingSoftware, "device", dev.Name)
	case dev.Status == wire.DevicePending:
		why = reason.New(reason.DeviceWaiting, "device", dev.Name)
	default:
		why = reason.New(reason.DeviceRetired)
	}
	a.strangers.Add(1)
	return wire.Device{}, refusal{why}
}

// fail answers err with its own reason where it has one, and tells nothing
// else of what happened inside.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var told interface{ Reason() wire.Reason }
	switch {
	case errors.As(err, &told):
		problem.Write(w, r, statusOf(told), told.Reason())
	case errors.Is(err, errNoCertificate):
		problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.Unauthorized))
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrIndeterminate), errors.Is(err, context.DeadlineExceeded):
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
	case errors.Is(err, store.ErrConflict):
		problem.Write(w, r, http.StatusConflict, reason.New(reason.Conflict))
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // the agent is gone
	default:
		a.Logger.Error("agents' port: request failed", "path", r.URL.Path, "error", err)
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
	}
}

// statusOf is the status that the reason itself names, or the code's.
func statusOf(told interface{ Reason() wire.Reason }) int {
	if s, ok := told.(interface{ Status() int }); ok {
		return s.Status()
	}
	switch told.Reason().Code {
	case reason.AuditClosed, reason.Unavailable:
		return http.StatusServiceUnavailable
	case reason.Internal:
		return http.StatusInternalServerError
	case reason.EnrolMalformed, reason.BadRequest:
		return http.StatusBadRequest
	case reason.Conflict:
		return http.StatusConflict
	case reason.TooMany:
		return http.StatusTooManyRequests
	default:
		return http.StatusForbidden
	}
}

func tooMany(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "5")
	problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.TooMany))
}
