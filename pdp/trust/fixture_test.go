package trust

import (
	"math"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

var at = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func weights(t testing.TB) *fusion.Weights {
	t.Helper()
	w, err := fusion.DefaultWeights()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func freshStanding() wire.DeviceStanding {
	return wire.DeviceStanding{
		DeviceID: "dev-1", Standing: wire.StandingFresh,
		Result: wire.AttestationResult{
			IssuedAt: at, ValidUntil: at.Add(time.Hour),
			Vector: wire.TrustVector{InstanceIdentity: wire.Affirming},
		},
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
