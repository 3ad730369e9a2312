package admin

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func newKeeper(t *testing.T, s store.Store, dir *directory.Directory, clock func() time.Time) *reference.Keeper {
	t.Helper()
	_, approval, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	policy := verifier.DefaultBootPolicy()
	k, err := reference.New(t.Context(), reference.Config{
		Store: s, Devices: dir, Approval: approval, Approvers: 1, Clock: clock, Logger: slog.New(slog.DiscardHandler),
		Appraise: func(b wire.Boot, set *wire.ReferenceSet) wire.BootAppraisal {
			return verifier.AppraiseBoot(b, set, policy)
		},
		Wants: func(pcr int, kind wire.MeasurementKind) bool {
			return policy.Wants(verifier.BootPlace{PCR: pcr, Kind: kind})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func booted(loader string) wire.Boot {
	loaded, firmware := sha256.Sum256([]byte(loader)), sha256.Sum256([]byte("firmware"))
	return wire.Boot{LogDigest: loaded[:], PCRDigest: loaded[:], SecureBoot: wire.SecureBootOn, Measurements: []wire.Measurement{
		{PCR: 0, Kind: wire.MeasuredFirmware, Name: "#1", Digest: firmware[:], Detail: "firmware"},
		{PCR: 4, Kind: wire.MeasuredBootApplication, Name: "#1", Digest: loaded[:], Detail: loader},
	}}
}

// signedBundle is a maker's bundle with one value, and its signer.
func signedBundle(t *testing.T) (wire.SignedBundle, client.NewSigner) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := reference.Sign(wire.Bundle{
		Schema: 1, Issuer: "maker", Agency: wire.AnyAgency, ID: "laptop", Version: 3, Created: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Entries: []wire.BundleEntry{{PCR: 0, Kind: wire.MeasuredFirmware, Name: "#1", Digest: sha256.Sum256([]byte("firmware"))}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return s, client.NewSigner{Issuer: "maker", SPKI: spki}
}

func TestReferenceValuesByTheSocket(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, d := f.populate(t)
	if _, err := f.Client.ApproveDevice(ctx, "", d.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.keeper.Saw(ctx, d, booted("grub 1")); err != nil {
		t.Fatal(err)
	}
	s, signer := signedBundle(t)
	added, err := f.Client.AddSigner(ctx, "moda", signer)
	if err != nil || added.Added.By != "uid:0" {
		t.Fatal(added, err)
	}
	if all, err := f.Client.Signers(ctx, "moda"); err != nil || len(all) != 1 {
		t.Error(all, err)
	}
	info, err := f.ImportReference(ctx, "moda", s)
	if err != nil || info.State != wire.BundleDraft {
		t.Fatal(info, err)
	}
	if got, err := f.ApproveReference(ctx, "moda", "laptop", client.Approval{Next: true}); err != nil || got.State != wire.BundleNext || got.History[1].By != "uid:0" {
		t.Error(got, err)
	}
	if got, err := f.ActivateReference(ctx, "moda", "laptop@3"); err != nil || got.State != wire.BundleCurrent {
		t.Error(got, err)
	}
	diff, err := f.LearnReference(ctx, "moda", wire.LearnRequest{ID: "pilot", Devices: []string{"LT-1"}})
	if err != nil || len(diff.Added) != 2 {
		t.Fatal(diff, err)
	}
	if got, err := f.ReferenceDiff(ctx, "moda", "pilot"); err != nil || len(got.Added) != 2 {
		t.Error(got, err)
	}
	if got, err := f.References(ctx, "moda"); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
	if got, err := f.Client.Reference(ctx, "moda", "pilot@1"); err != nil || len(got.Bundle.Entries) != 2 {
		t.Error(got, err)
	}
	if got, err := f.ReferenceFleet(ctx, "moda", "pilot@1"); err != nil || got.Devices != 1 || got.Failing != 1 {
		t.Error(got, err)
	}
	if got, err := f.Client.Boot(ctx, "moda", "LT-1"); err != nil || len(got.Differences) == 0 || got.Executables != wire.Contraindicated {
		t.Error(got, err)
	}
	if got, err := f.RetireReference(ctx, "moda", "laptop"); err != nil || got.State != wire.BundleSuperseded {
		t.Error(got, err)
	}
	if got, err := f.Client.RemoveSigner(ctx, "moda", added.Key.String()); err != nil || got.Removed.By != "uid:0" {
		t.Error(got, err)
	}

	var record []byte
	did := map[string]int{}
	for _, a := range f.audit.acts(t) {
		if strings.HasPrefix(a.Action, "reference") {
			did[a.Action+" "+a.Outcome]++
			if a.agency != "moda" {
				t.Errorf("%s is recorded for %q", a.Action, a.agency)
			}
		}
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		record = append(record, raw...)
	}
	for _, action := range []string{"import", "learn", "approve", "activate", "retire", "signer add", "signer remove"} {
		if did["reference "+action+" asked"] != 1 || did["reference "+action+" done"] != 1 {
			t.Errorf("%s is not recorded before and after: %v", action, did)
		}
	}
	if !bytes.Contains(record, []byte("laptop@3 sha256:"+info.Digest.String())) {
		t.Error("the record does not say which values were approved")
	}
}

func TestReferenceValuesThatAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, d := f.populate(t)
	s, _ := signedBundle(t)
	for name, c := range map[string]struct {
		status int
		code   string
		do     func() error
	}{
		"agency":          {404, reason.CfgNotFound, func() error { _, err := f.References(ctx, "nstc"); return err }},
		"agency, import":  {404, reason.CfgNotFound, func() error { _, err := f.ImportReference(ctx, "nstc", s); return err }},
		"agency, learn":   {404, reason.CfgNotFound, func() error { _, err := f.LearnReference(ctx, "nstc", wire.LearnRequest{}); return err }},
		"agency, signers": {404, reason.CfgNotFound, func() error { _, err := f.Client.Signers(ctx, "nstc"); return err }},
		"agency, signer":  {404, reason.CfgNotFound, func() error { _, err := f.Client.AddSigner(ctx, "nstc", client.NewSigner{}); return err }},
		"agency, fleet":   {404, reason.CfgNotFound, func() error { _, err := f.ReferenceFleet(ctx, "nstc", ""); return err }},
		"agency, show":    {404, reason.CfgNotFound, func() error { _, err := f.Client.Reference(ctx, "nstc", "x"); return err }},
		"agency, diff":    {404, reason.CfgNotFound, func() error { _, err := f.ReferenceDiff(ctx, "nstc", "x"); return err }},
		"agency, approve": {404, reason.CfgNotFound, func() error { _, err := f.ApproveReference(ctx, "nstc", "x", client.Approval{}); return err }},
		"agency, retire":  {404, reason.CfgNotFound, func() error { _, err := f.RetireReference(ctx, "nstc", "x"); return err }},
		"agency, remove":  {404, reason.CfgNotFound, func() error { _, err := f.Client.RemoveSigner(ctx, "nstc", "x"); return err }},
		"bundle":          {404, reason.CfgNotFound, func() error { _, err := f.ActivateReference(ctx, "moda", "x"); return err }},
		"stranger's":      {400, reason.RefSignature, func() error { _, err := f.ImportReference(ctx, "moda", s); return err }},
		"nothing seen": {400, reason.RefNothingSeen, func() error {
			_, err := f.LearnReference(ctx, "moda", wire.LearnRequest{ID: "x", Group: "y"})
			return err
		}},
		"no boot":   {404, reason.CfgNotFound, func() error { _, err := f.Client.Boot(ctx, "", d.ID); return err }},
		"no device": {404, reason.CfgNotFound, func() error { _, err := f.Client.Boot(ctx, "moda", "LT-9"); return err }},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, c.do(), c.status, c.code) })
	}
	answer, err := f.as(t, 0).Post("http://menshen/v1/agencies/moda/references", "application/json", strings.NewReader(strings.Repeat(" ", maxBundle+1)))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}
