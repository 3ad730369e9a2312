package api

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of bodies. Bytes are base64 in JSON: four characters for three.
const (
	maxEnrolStart  = (wire.MaxEKCertificateBytes+wire.MaxEKIntermediatesBytes)*4/3 + 6<<10
	maxEnrolFinish = 32 << 10 // holds the sealed ticket
	maxNonce       = 64
	maxAttest      = (wire.MaxClaimsBytes+wire.MaxEventLogBytes+wire.MaxIMABytes+2*wire.MaxQuoteBytes)*4/3 + 32<<10
	maxConfirm     = 24 << 10
	maxRemedy      = 4 << 10
	maxInventory   = wire.MaxInventoryBytes*4/3 + 1<<10
)

func (a *API) enrolStart(w http.ResponseWriter, r *http.Request, who caller) {
	var in wire.EnrolStart
	if !problem.ReadJSON(w, r, maxEnrolStart, &in) {
		return
	}
	leave, ok := a.enterEnrolment(who)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	out, err := a.Enrolment.Start(r.Context(), in, who.spki, who.address.String())
	a.answer(w, r, out, err)
}

func (a *API) enrolFinish(w http.ResponseWriter, r *http.Request, who caller) {
	var in wire.EnrolFinish
	if !problem.ReadJSON(w, r, maxEnrolFinish, &in) {
		return
	}
	leave, ok := a.enterEnrolment(who)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	out, err := a.Enrolment.Finish(r.Context(), in, who.spki)
	a.answer(w, r, out, err)
}

// enterEnrolment bounds what strangers may keep busy: in all, and from one
// network. It comes after the body was read, so that slow senders hold no place.
func (a *API) enterEnrolment(who caller) (leave func(), ok bool) {
	leaveAll, ok := a.enrolments.enter("")
	if !ok {
		return nil, false
	}
	leaveNetwork, ok := a.networks.enter(who.network())
	if !ok {
		leaveAll()
		return nil, false
	}
	return func() { leaveNetwork(); leaveAll() }, true
}

func (a *API) attestNonce(w http.ResponseWriter, r *http.Request, who caller) {
	if !a.pace.Permit(who.device.ID, a.Clock()) {
		tooMany(w, r)
		return
	}
	if r.ContentLength != 0 { // nothing is asked of the agent; an empty object is fine
		var in struct{}
		if !problem.ReadJSON(w, r, maxNonce, &in) {
			return
		}
	}
	out, err := a.Appraisal.Nonce(r.Context(), who.device, who.channel)
	a.answer(w, r, out, err)
}

func (a *API) attest(w http.ResponseWriter, r *http.Request, who caller) {
	if !a.pace.Permit(who.device.ID, a.Clock()) {
		tooMany(w, r)
		return
	}
	// A body may be large, so places come first; a device that sends slowly
	// holds its own.
	leaveDevice, ok := a.attesting.enter(who.device.ID)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leaveDevice()
	leave, ok := a.attests.enter("")
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	var in wire.AttestRequest
	if !problem.ReadJSON(w, r, maxAttest, &in) {
		return
	}
	// What was measured counts, whether the agent stays to hear so or not.
	out, err := a.Appraisal.Attest(context.WithoutCancel(r.Context()), who.device, who.channel, in)
	a.answer(w, r, out, err)
}

func (a *API) confirm(w http.ResponseWriter, r *http.Request, who caller) {
	leave, ok := a.confirms.enter(who.device.ID)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	var in wire.DeviceConfirmation
	if !problem.ReadJSON(w, r, maxConfirm, &in) {
		return
	}
	err := a.Confirmer.Confirm(r.Context(), who.device.ID, in, who.network())
	a.answer(w, r, wire.DeviceConfirmed{Accepted: err == nil}, err)
}

// inventory takes a list of software. The lists are large and come seldom.
func (a *API) inventory(w http.ResponseWriter, r *http.Request, who caller) {
	if !a.pace.Permit(who.device.ID, a.Clock()) {
		tooMany(w, r)
		return
	}
	leaveDevice, ok := a.listing.enter(who.device.ID)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leaveDevice()
	leave, ok := a.inventories.enter("")
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	var in wire.InventoryReport
	if !problem.ReadJSON(w, r, maxInventory, &in) {
		return
	}
	digest, err := a.Inventories.Keep(r.Context(), who.device, in.Inventory)
	a.answer(w, r, wire.InventoryTaken{Digest: digest}, err)
}

func (a *API) remedy(w http.ResponseWriter, r *http.Request, who caller) {
	if !a.pace.Permit(who.device.ID, a.Clock()) {
		tooMany(w, r)
		return
	}
	var in wire.RemedyReport
	if !problem.ReadJSON(w, r, maxRemedy, &in) {
		return
	}
	// What was done is recorded, whether the agent stays to hear so or not.
	err := a.Appraisal.Remedied(context.WithoutCancel(r.Context()), who.device, in)
	a.answer(w, r, wire.RemedyTaken{Accepted: err == nil}, err)
}

// poll is the standing connection: it ends when there is something to ask of
// the agent, after wire.PollLife, or when the server is shut down.
func (a *API) poll(w http.ResponseWriter, r *http.Request, who caller) {
	leave, ok := a.polls.enter(who.device.ID)
	if !ok {
		tooMany(w, r)
		return
	}
	defer leave()
	release := a.Appraisal.Connected(who.device.ID)
	defer release()
	ctx, cancel := context.WithTimeout(r.Context(), wire.PollLife)
	defer cancel()
	defer context.AfterFunc(a.serving, cancel)()
	commands := a.Appraisal.Commands(ctx, who.device.ID)
	if r.Context().Err() != nil {
		return // the agent is gone
	}
	problem.WriteJSON(w, r, wire.PollAnswer{Commands: commands})
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, out any, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	problem.WriteJSON(w, r, out)
}
