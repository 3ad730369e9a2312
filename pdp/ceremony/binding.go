package ceremony

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const purposeDeviceNonce = "device-nonce"

// deviceNonce is what the page hands to the agent on its laptop, sealed.
type deviceNonce struct {
	Ceremony string `json:"ceremony"`
	// Network is where the PDP saw the browser.
	Network string `json:"network"`
}

// confirmation is an agent's word that a browser on its device holds a
// ceremony's nonce. The record stays until the nonce ends, so that neither the
// nonce nor the confirmation works twice.
type confirmation struct {
	DeviceID    string          `json:"device_id"`
	At          time.Time       `json:"at"`
	CodeHash    []byte          `json:"code_hash"`
	Way         wire.BindingWay `json:"way"`
	Seat        wire.SeatState  `json:"seat"`
	SameNetwork bool            `json:"same_network"`
	Used        bool            `json:"used"`
}

// Confirm keeps what the agent of a device says on its own mTLS connection:
// deviceID is the device known by that connection's key, peerNetwork the
// network it comes from. The first confirmation of a nonce stands; a second,
// by whomever, is refused. It proves nothing until the browser that holds the
// ceremony's cookie brings the same return code: so somebody who makes another
// laptop's agent confirm his own ceremony learns no code and gains nothing.
func (c *Ceremony) Confirm(ctx context.Context, deviceID string, said wire.DeviceConfirmation, peerNetwork string) error {
	if wire.CheckID(wire.PrefixDevice, deviceID) != nil || len(said.ReturnCode) != secretSize {
		return refuseWith(http.StatusBadRequest, reason.KeyConfirmationRefused, errors.New("malformed confirmation"))
	}
	if said.Seat != wire.SeatActive && said.Seat != wire.SeatNone {
		return refuseWith(http.StatusBadRequest, reason.KeyConfirmationRefused, errors.New("unknown seat state"))
	}
	if said.Way != wire.BindingFetch && said.Way != wire.BindingNavigation {
		return refuseWith(http.StatusBadRequest, reason.KeyConfirmationRefused, errors.New("unknown way"))
	}
	now := c.clock()
	var nonce deviceNonce
	if err := c.sealer.Open(purposeDeviceNonce, said.Nonce, now, &nonce); err != nil {
		return refuseTicket(err, reason.KeyConfirmationRefused)
	}
	hash := sha256.Sum256(said.ReturnCode)
	kept := confirmation{
		DeviceID: deviceID, At: now.UTC(), CodeHash: hash[:], Way: said.Way, Seat: said.Seat,
		SameNetwork: wire.SameNetwork(nonce.Network, peerNetwork),
	}
	// Kept as long as any nonce of this ceremony can still be opened.
	err := putNew(ctx, c.store, confirmationKey(nonce.Ceremony), now.Add(ceremonyLife), kept)
	if errors.Is(err, store.ErrConflict) {
		return refuseWith(http.StatusConflict, reason.KeyConfirmationReplayed, err)
	}
	return err
}

func confirmationKey(ceremony string) string { return store.Key(kindConfirmation, nobody, ceremony) }

// takeConfirmation spends this ceremony's confirmation against the return code
// that the page got from the agent. A wrong code spends nothing: 256 bits are
// not guessed, and the page may have asked the wrong laptop.
func (c *Ceremony) takeConfirmation(ctx context.Context, state signIn, returnCode string, now time.Time) (wire.DeviceBinding, error) {
	var none wire.DeviceBinding
	record, err := get[confirmation](ctx, c.store, confirmationKey(state.ID))
	if errors.Is(err, store.ErrNotFound) {
		return none, refuse(reason.KeyDeviceNotConfirmed, err)
	}
	if err != nil {
		return none, err
	}
	said := record.value
	if said.Used {
		return none, refuse(reason.KeyConfirmationReplayed, errors.New("confirmation used"))
	}
	if !now.Before(said.At.Add(confirmationLife)) {
		return none, refuse(reason.KeySignInExpired, errors.New("confirmation expired"))
	}
	hash, ok := readSecret(returnCode)
	if !ok || subtle.ConstantTimeCompare(hash[:], said.CodeHash) != 1 {
		return none, refuse(reason.KeyReturnCodeWrong, nil)
	}
	used := said
	used.Used = true
	if err := record.replace(ctx, c.store, used); errors.Is(err, store.ErrConflict) {
		return none, refuse(reason.KeyConfirmationReplayed, err)
	} else if err != nil {
		return none, err
	}
	return wire.DeviceBinding{DeviceID: said.DeviceID, At: said.At, Way: said.Way, Seat: said.Seat, SameNetwork: said.SameNetwork}, nil
}
