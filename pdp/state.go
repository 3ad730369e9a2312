package pdp

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/keyring"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// state is everything of the PDP that lies on its disk.
type state struct {
	ring  *keyring.Ring
	log   observedLog
	store *bolt.Store
}

func keysDir(c Config) string  { return filepath.Join(c.Data, "keys") }
func tokenDir(c Config) string { return filepath.Join(c.Data, "keys", "tokens") }
func auditDir(c Config) string { return filepath.Join(c.Data, "audit") }
func storeFile(c Config) string {
	return filepath.Join(c.Data, "store.db")
}

// ErrNotInitialised is returned where `menshen-pdp init` has not run yet.
var ErrNotInitialised = errors.New("pdp: no keys in the data folder: run `menshen-pdp init` once")

// openState opens keys, audit log and store, in this order: the log's clock
// check comes before anything that expires is read (design: invariant 13).
func openState(c Config, o *operations, logger *slog.Logger) (s *state, err error) {
	s = new(state)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.ring, err = keyring.Open(keysDir(c)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w (%s)", ErrNotInitialised, c.Data)
		}
		return s, err
	}
	log, err := audit.Open(auditDir(c), audit.Options{
		Clock: time.Now, Logger: logger.With("part", "audit"), Key: s.ring.Audit, ReserveBytes: int64(c.Audit.ReserveMiB) << 20,
	})
	if err != nil {
		return s, err
	}
	s.log = observedLog{log, o}
	s.store, err = bolt.Open(storeFile(c), bolt.Options{})
	return s, err
}

// CA returns the private CA's certificate in PEM.
func CA(c Config) ([]byte, error) {
	ring, err := keyring.Open(keysDir(c))
	if err != nil {
		return nil, err
	}
	return ring.Authority.PEM(), nil
}

// Close closes the store first: what it acknowledged is recorded by then.
func (s *state) Close() error {
	var all error
	if s.store != nil {
		all = errors.Join(all, s.store.Close())
	}
	if s.log.Log != nil {
		all = errors.Join(all, s.log.Close())
	}
	return all
}
