package pdp

import (
	"crypto/rand"
	"time"

	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of audit.inputs_days: two periods of their keys, ten years.
const (
	minInputsDays = 60
	maxInputsDays = 3660
)

func newInputs(c AuditConfig, s store.Store, key [32]byte) (*recorded.Keeper, error) {
	return recorded.New(recorded.Config{
		Store: s, Sealer: seal.New(key), Clock: time.Now, Random: rand.Reader, Keep: time.Duration(c.InputsDays) * day,
	})
}
