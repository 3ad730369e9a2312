// Package sweeper deletes records whose time is over: codes, links, spent
// tickets, ended sessions. It only makes room. Whoever reads a record judges
// its expiry by itself (design: State), so that nothing depends on when the
// sweeper comes by, and a sweeper that stops lets nobody in.
package sweeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

// Grace is how long a record stays after its end, so that clocks that differ a
// little between replicas cannot bring a spent ticket back to life.
const Grace = 10 * time.Minute

const pageSize = 256

// Sweep deletes what expired before now − Grace under the given kinds and
// returns how many records that were. A record that changes meanwhile stays.
func Sweep(ctx context.Context, s store.Store, kinds []string, now time.Time) (int, error) {
	swept := 0
	for _, kind := range kinds {
		n, err := sweepKind(ctx, s, store.Prefix(kind, ""), now.Add(-Grace))
		swept += n
		if err != nil {
			return swept, fmt.Errorf("sweeper: %s: %w", kind, err)
		}
	}
	return swept, nil
}

func sweepKind(ctx context.Context, s store.Store, prefix string, before time.Time) (int, error) {
	swept, after := 0, ""
	for {
		page, err := s.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return swept, err
		}
		for _, r := range page.Records {
			if !expired(r.Value, before) {
				continue
			}
			_, err := s.Txn(ctx, []store.Compare{{Key: r.Key, Revision: r.Revision}}, []store.Op{{Key: r.Key, Delete: true}})
			switch {
			case err == nil:
				swept++
			case !errors.Is(err, store.ErrConflict):
				return swept, err
			}
		}
		if page.Next == "" {
			return swept, nil
		}
		after = page.Next
	}
}

// expired reports whether the value says that it ended before the given time.
// A value that does not say so stays.
func expired(value []byte, before time.Time) bool {
	var v struct {
		Expires time.Time `json:"expires"`
	}
	return json.Unmarshal(value, &v) == nil && !v.Expires.IsZero() && v.Expires.Before(before)
}

// Run sweeps every interval until ctx ends.
func Run(ctx context.Context, s store.Store, kinds []string, interval time.Duration, clock func() time.Time, logger *slog.Logger) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			switch n, err := Sweep(ctx, s, kinds, clock()); {
			case err != nil:
				logger.Warn("sweeping expired records failed", "error", err)
			case n > 0:
				logger.Debug("expired records swept", "records", n)
			}
		}
	}
}
