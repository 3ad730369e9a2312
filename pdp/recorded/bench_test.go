package recorded

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// laptop is what is known of a person on a laptop that makes every claim.
func laptop(at time.Time) wire.DecisionInputs {
	in := wire.DecisionInputs{Salt: make([]byte, 16), ID: "dec-ni5zcubnomoy6x7o3kkeqlnzxa", Action: wire.ActionRead, At: at, TouchedAt: at, PolicyVersion: "0123456789abcdef01234567"}
	f := &in.Facts
	f.At = at
	f.Person = wire.Person{ID: "per-ni5zcubnomoy6x7o3kkeqlnzxa", Agency: "moda", Name: "王小明", Account: "wang.xm", Groups: []string{"hr", "staff"}, CreatedAt: at}
	f.SignIn = wire.SignIn{PersonID: f.Person.ID, KeyID: "key-ni5zcubnomoy6x7o3kkeqlnzxb", At: at, AAL: 3, UserVerified: true, AMR: []string{"hwk", "pin", "mfa"}}
	f.Device = wire.Device{ID: "dev-ni5zcubnomoy6x7o3kkeqlnzxc", Agency: "moda", Name: "LT-2231", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		EKDigest: make([]byte, 32), AK: make([]byte, 90), SigningKey: make([]byte, 90), TLSSPKI: make([]byte, 32), EnrolledAt: at}
	f.Binding = wire.DeviceBinding{DeviceID: f.Device.ID, At: at, Way: wire.BindingFetch, SameNetwork: true}
	f.Standing = wire.DeviceStanding{DeviceID: f.Device.ID, Standing: wire.StandingFresh, ChangesAt: at}
	f.Standing.Result = wire.AttestationResult{DeviceID: f.Device.ID, IssuedAt: at, ValidUntil: at}
	for i := range 14 {
		f.Standing.Result.Claims = append(f.Standing.Result.Claims, wire.Claim{
			ID: wire.ClaimID(fmt.Sprintf("claim-%d", i)), State: wire.ClaimPass, Source: "/etc/some/file." + fmt.Sprint(i), MeasuredAt: at.Add(time.Duration(i) * time.Millisecond),
			Value: map[string]string{"version": fmt.Sprintf("%d.%d", i*7, i*3), "state": "enabled"},
		})
	}
	f.Portal = wire.Portal{ID: "por-ni5zcubnomoy6x7o3kkeqlnzxd", Agency: "moda", NameZH: "人事資料系統", NameEN: "Personnel", Origin: "https://hr.example.gov.tw", Sensitivity: wire.PortalSensitive}
	return in
}

// BenchmarkSeal is what recording the inputs adds to a decision: marshalling
// and hashing them, packing and encrypting. A decision is taken once in minutes
// for a session, and its record waits for the disk.
func BenchmarkSeal(b *testing.B) {
	r := newRing(b)
	in := laptop(r.now)
	raw, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	r.seal(agency, person, decision)
	b.Run("canonical", func(b *testing.B) {
		for b.Loop() {
			raw, _ := json.Marshal(in)
			_ = sha256.Sum256(raw)
		}
	})
	b.Run("sealed", func(b *testing.B) {
		b.ReportAllocs()
		var s wire.SealedInputs
		for b.Loop() {
			if s, err = r.Seal(b.Context(), agency, person, decision, raw); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(raw)), "B-inputs")
		b.ReportMetric(float64(len(s.Box)), "B-box")
	})
}
