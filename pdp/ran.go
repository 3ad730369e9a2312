package pdp

import (
	"slices"
	"sync"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appraisal"
)

// Bounds of what is remembered of files that devices ran.
const (
	maxRanFiles   = 256
	maxRanDevices = 4096
)

// ran remembers the last files of each device that no allow list has, for the
// inference. It is in memory alone: after a restart of the PDP a device's list
// is told again from its next boot on. Where there are too many devices, the
// files of some are not known, which speaks for nobody.
type ran struct {
	mu    sync.RWMutex
	files map[string][]string
}

func newRan() *ran { return &ran{files: map[string][]string{}} }

// noting has every judgement told of.
func (r *ran) noting(verify func(appraisal.Input) wire.Appraised) func(appraisal.Input) wire.Appraised {
	return func(in appraisal.Input) wire.Appraised {
		out := verify(in)
		if len(out.Ran) > 0 {
			r.note(in.Device.ID, out.Ran)
		}
		return out
	}
}

func (r *ran) note(deviceID string, digests []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, had := r.files[deviceID]
	if !had && len(r.files) >= maxRanDevices {
		return
	}
	next := slices.Clone(known) // what was given out stays as it is
	for _, digest := range digests {
		if i := slices.Index(next, digest); i >= 0 {
			next = slices.Delete(next, i, i+1)
		}
		next = append(next, digest)
	}
	r.files[deviceID] = slices.Clip(next[max(0, len(next)-maxRanFiles):])
}

// of returns a device's files; the caller does not change them.
func (r *ran) of(deviceID string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.files[deviceID]
}

func (r *ran) forget(deviceID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.files, deviceID)
}
