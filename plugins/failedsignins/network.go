package main

import (
	"hash/fnv"
	"math"
	"math/bits"
	"time"
)

// epoch is for how long accounts are counted together; the one before counts too.
const epoch = 30 * time.Minute

// sketch says of about how many different accounts it was told: each sets one
// of 64 bits. Nobody can be read out of it: a bit is shared by many.
type sketch uint64

func (s *sketch) add(person string) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(person))
	sum := h.Sum64()
	sum = (sum ^ sum>>33) * 0xff51afd7ed558ccd // FNV mixes its low bits poorly; MurmurHash3 ends like this
	*s |= 1 << (sum >> 58)
}

// count is linear counting, −m·ln(share of bits not set); at most what 63 say.
func (s sketch) count() float64 {
	clear := max(1, 64-bits.OnesCount64(uint64(s)))
	return -64 * math.Log(float64(clear)/64)
}

// network is what is kept of one network.
type network struct {
	Epoch  int64     `json:"epoch"`
	Failed [2]sketch `json:"failed"` // in this epoch and in the one before
	Good   [2]sketch `json:"good"`
}

func epochOf(at time.Time) int64 { return at.Unix() / int64(epoch/time.Second) }

// forward drops what is past.
func (n *network) forward(at time.Time) {
	switch passed := epochOf(at) - n.Epoch; {
	case passed <= 0:
		return
	case passed == 1:
		n.Failed, n.Good = [2]sketch{0, n.Failed[0]}, [2]sketch{0, n.Good[0]}
	default:
		n.Failed, n.Good = [2]sketch{}, [2]sketch{}
	}
	n.Epoch = epochOf(at)
}

// learn takes in a sign-in; one that is too old says nothing of now.
func (n *network) learn(person string, at time.Time, failed bool) {
	n.forward(at)
	age := n.Epoch - epochOf(at)
	if age > 1 {
		return
	}
	if failed {
		n.Failed[age].add(person)
	} else {
		n.Good[age].add(person)
	}
}

// worst is B.
func (n network) worst(at time.Time) float64 {
	n.forward(at)
	good := (n.Good[0] | n.Good[1]).count()
	return above((n.Failed[0] | n.Failed[1]).count(), networkFloor+networkShare*good)
}
