package appraisal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/wire"
)

// TestWhatIsKeptIsSmall: a report of 150 rules fits the budget of a device.
func TestWhatIsKeptIsSmall(t *testing.T) {
	claims := wire.Claims{Baselines: []wire.BaselineReport{{Baseline: "TWGCB-01-014", Version: "1.2"}}}
	for i := range 150 {
		state := []wire.ClaimState{wire.ClaimPass, wire.ClaimPass, wire.ClaimFail}[i%3]
		claims.Baselines[0].Results = append(claims.Baselines[0].Results, wire.RuleResult{
			Rule: fmt.Sprintf("TWGCB-01-014-%04d", i), State: state, Seen: fmt.Sprintf("net.ipv4.conf.all.setting_%d = %d", i, i%2),
		})
	}
	document, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	small, err := deflate.Pack(document)
	if err != nil || len(small) > 2<<10 {
		t.Errorf("%d bytes became %d: %v", len(document), len(small), err)
	}
	if back, err := deflate.Unpack(small, wire.MaxClaimsBytes); err != nil || !bytes.Equal(back, document) {
		t.Errorf("%d bytes came back: %v", len(back), err)
	}
}
