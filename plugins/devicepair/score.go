package main

import "math"

// Let the person have signed in n times, k of them (the first apart) with a
// device that was new; all others n' and k' times. Let w(d) be how much the
// person used the device, W how much all devices, and m how many others use it:
//
//	π = (k' + 1) / (n' + 100)                    everybody's rate of new devices
//	θ = (k + κ·π) / (n − 1 + κ)                  the person's own
//	I = ε + (1−ε)·m/(m + σ)                      an impostor has the device
//	llr = max(0, ln( (1−θ)·w(d)/W / I ))         of a device that was used
//	llr = ln( θ / (1−ε) )                        of one that is new
//
// clipped to ±limit. ε is how often an impostor works on a person's own device,
// stolen or taken over; σ how many sharers make it an even chance that the
// impostor is one of them. A device that the person used never speaks against
// the person, however rarely it was. Before anything is known one sign-in in a
// hundred brings a new device, and κ is how many of the person's sign-ins that
// is worth.
const (
	kappa   = 20.0
	epsilon = .01
	sharers = 5.0
	limit   = 5.0
)

// facts are what the score is taken from, as named above.
type facts struct {
	signIns, fresh             float64 // n, k
	othersSignIns, othersFresh float64 // n', k'
	share                      float64 // w(d)/W, 0 of a new device
	users                      float64 // m
}

// score is the formula above.
func score(f facts) float64 {
	everybody := (f.othersFresh + 1) / (f.othersSignIns + 100)
	fresh := (f.fresh + kappa*everybody) / (f.signIns - 1 + kappa)
	if f.share == 0 {
		return max(-limit, min(math.Log(fresh/(1-epsilon)), 0))
	}
	impostor := epsilon + (1-epsilon)*f.users/(f.users+sharers)
	return max(0, min(math.Log((1-fresh)*f.share/impostor), limit))
}

// confidence grows with the use: a half after three sign-ins.
func confidence(use float64) float64 { return use / (use + 3) }
