package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
	"github.com/menshen-zt/menshen/plugins/contracttest"
)

// TestContract builds the program and puts it through the suite that every
// plugin must pass.
func TestContract(t *testing.T) {
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contracttest.Run(t, program)
}

// The formula by hand: three sign-ins, all of them here, none of them there.
func TestScore(t *testing.T) {
	p := inference{contract.NewPeople[[]signIn](people, retention, nil)}
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for n := range 3 {
		o := contract.Observation{Person: "p", At: at.Add(time.Duration(n) * 24 * time.Hour), ZoneMinutes: 480, ZoneKnown: true}
		if learned, err := p.Observe(t.Context(), []contract.Observation{o, o}); learned != 1 || err != nil {
			t.Fatalf("learned %d: %v", learned, err)
		}
	}
	for zone, want := range map[int]float64{480: math.Log(3*38+1) - math.Log(4), -300: -math.Log(4)} {
		v, err := p.Assess(t.Context(), contract.Observation{Person: "p", At: at.Add(96 * time.Hour), ZoneMinutes: zone, ZoneKnown: true})
		if err != nil || math.Abs(v.LLR-want) > 1e-9 || v.Confidence != 0.5 {
			t.Errorf("zone %d: %+v, by hand %.4f: %v", zone, v, want, err)
		}
	}
}
