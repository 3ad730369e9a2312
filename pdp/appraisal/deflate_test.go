package appraisal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

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
	small, err := deflate(document)
	if err != nil || len(small) > 2<<10 {
		t.Errorf("%d bytes became %d: %v", len(document), len(small), err)
	}
	if back, err := inflate(small); err != nil || !bytes.Equal(back, document) {
		t.Errorf("%d bytes came back: %v", len(back), err)
	}
}

func TestInflatingIsBounded(t *testing.T) {
	whole, err := deflate(make([]byte, wire.MaxClaimsBytes))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := inflate(whole); err != nil || len(back) != wire.MaxClaimsBytes {
		t.Errorf("at the bound: %d bytes, %v", len(back), err)
	}
	bomb, err := deflate(make([]byte, wire.MaxClaimsBytes+1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inflate(bomb); !errors.Is(err, errInflated) {
		t.Errorf("beyond the bound: %v", err)
	}
	if _, err := inflate(whole[:len(whole)/2]); err == nil {
		t.Error("half of it was read")
	}
}
