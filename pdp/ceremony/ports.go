package ceremony

import (
	"context"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Sealer makes and opens tickets that carry their own state. Any error of Open
// refuses the ticket; expiry is told by a method Expired() bool.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Recorder appends to the audit log and returns when the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Directory knows people, their keys and the portals. Its errors wrap
// store.ErrNotFound and store.ErrConflict. TouchKey refuses a counter that did
// not grow, and a revoked key, atomically.
type Directory interface {
	Person(ctx context.Context, id string) (wire.Person, error)
	PersonByHandle(ctx context.Context, handle []byte) (wire.Person, error)
	Keys(ctx context.Context, personID string) ([]wire.SecurityKey, error)
	KeyByCredential(ctx context.Context, credentialID []byte) (wire.SecurityKey, error)
	AddKey(ctx context.Context, key wire.SecurityKey) (wire.SecurityKey, error)
	TouchKey(ctx context.Context, keyID string, signCount uint32, at time.Time) error
	Portal(ctx context.Context, id string) (wire.Portal, error)
}
