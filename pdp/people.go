package pdp

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/ceremony"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/seal"
)

func newCeremony(c Config, s *state, names *directory.Directory, failed func(wire.FailedSignIn), logger *slog.Logger) (*ceremony.Ceremony, error) {
	return ceremony.New(ceremony.Config{
		Origin: c.Web.Origin, Store: s.store, Sealer: seal.New(s.ring.Seal), Recorder: s.log, Directory: names, Failed: failed,
		Clock: time.Now, Random: rand.Reader, Logger: logger,
		MDSFile: c.WebAuthn.Metadata, PermitAAGUIDs: c.WebAuthn.Models,
		PermitTestAuthenticators: c.WebAuthn.PermitTestAuthenticators,
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
