//go:build !linux

package local

import "net/netip"

// UnknownSeats is for systems whose seats are not measured yet: it refuses.
type UnknownSeats struct{}

// Check returns ErrSeatUnknown.
func (UnknownSeats) Check(_, _ netip.AddrPort) error { return ErrSeatUnknown }
