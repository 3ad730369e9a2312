package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// References keeps boot reference values. A bundle is named "id", for its
// newest version, or "id@version". Errors wrap store.ErrNotFound, or carry a
// reason.
type References interface {
	Bundles(ctx context.Context, agency string) ([]wire.BundleInfo, error)
	Show(ctx context.Context, agency, name string) (wire.BundleView, error)
	Diff(ctx context.Context, agency, name string) (wire.BundleDiff, error)
	Import(ctx context.Context, agency string, s wire.SignedBundle, by string) (wire.BundleInfo, error)
	Learn(ctx context.Context, agency string, in wire.LearnRequest, by string) (wire.BundleDiff, error)
	Approve(ctx context.Context, agency, name string, next bool, by string) (wire.BundleInfo, error)
	Activate(ctx context.Context, agency, name, by string) (wire.BundleInfo, error)
	Retire(ctx context.Context, agency, name, by string) (wire.BundleInfo, error)
	Fleet(ctx context.Context, agency, name string) (wire.FleetReport, error)
	Explain(ctx context.Context, d wire.Device) (wire.BootExplanation, error)

	Signers(ctx context.Context, agency string) ([]wire.BundleSigner, error)
	AddSigner(ctx context.Context, agency, issuer string, spki []byte, by string) (wire.BundleSigner, error)
	RemoveSigner(ctx context.Context, agency, key, by string) (wire.BundleSigner, error)
}

// referenceRoutes are the routes of reference values.
func (a *Admin) referenceRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/agencies/{agency}/references":                       a.listReferences,
		"POST /v1/agencies/{agency}/references":                      a.importReference,
		"POST /v1/agencies/{agency}/reference-learn":                 a.learnReference,
		"GET /v1/agencies/{agency}/reference-fleet":                  a.fleetReference,
		"GET /v1/agencies/{agency}/references/{bundle}":              a.showReference,
		"GET /v1/agencies/{agency}/references/{bundle}/diff":         a.diffReference,
		"POST /v1/agencies/{agency}/references/{bundle}/approve":     a.approveReference,
		"POST /v1/agencies/{agency}/references/{bundle}/activate":    a.moveReference("reference activate", a.References.Activate),
		"POST /v1/agencies/{agency}/references/{bundle}/retire":      a.moveReference("reference retire", a.References.Retire),
		"GET /v1/agencies/{agency}/reference-signers":                a.listSigners,
		"POST /v1/agencies/{agency}/reference-signers":               a.addSigner,
		"POST /v1/agencies/{agency}/reference-signers/{name}/remove": a.removeSigner,
		"GET /v1/devices/{name}/boot":                                a.explainBoot,
	}
}

// agencyOf returns the agency that the path names, or answers that there is none.
func (a *Admin) agencyOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return "", false
	}
	return agency, true
}

func (a *Admin) listReferences(w http.ResponseWriter, r *http.Request) {
	if agency, ok := a.agencyOf(w, r); ok {
		all, err := a.References.Bundles(r.Context(), agency)
		answer(a, w, r, agency, listed(all), err)
	}
}

func (a *Admin) showReference(w http.ResponseWriter, r *http.Request) {
	if agency, ok := a.agencyOf(w, r); ok {
		out, err := a.References.Show(r.Context(), agency, r.PathValue("bundle"))
		answer(a, w, r, r.PathValue("bundle"), out, err)
	}
}

func (a *Admin) diffReference(w http.ResponseWriter, r *http.Request) {
	if agency, ok := a.agencyOf(w, r); ok {
		out, err := a.References.Diff(r.Context(), agency, r.PathValue("bundle"))
		answer(a, w, r, r.PathValue("bundle"), out, err)
	}
}

func (a *Admin) fleetReference(w http.ResponseWriter, r *http.Request) {
	if agency, ok := a.agencyOf(w, r); ok {
		name := r.URL.Query().Get("bundle")
		out, err := a.References.Fleet(r.Context(), agency, name)
		answer(a, w, r, name, out, err)
	}
}

// importReference records which bundle came, not its many values: its digest
// says which they were.
func (a *Admin) importReference(w http.ResponseWriter, r *http.Request) {
	var in wire.SignedBundle
	if !problem.ReadJSON(w, r, maxBundle, &in) {
		return
	}
	agency, ok := a.agencyOf(w, r)
	if !ok {
		return
	}
	asked := map[string]any{"id": in.Bundle.ID, "version": in.Bundle.Version, "issuer": in.Bundle.Issuer, "key": in.Key}
	what := act{Action: "reference import", Target: in.Bundle.ID, Input: asked, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.BundleInfo, string, error) {
		out, err := a.References.Import(ctx, agency, in, by)
		return out, madeBundle(out), err
	})
}

// madeBundle names what was made or changed, with the digest of its values.
func madeBundle(info wire.BundleInfo) string {
	if info.ID == "" {
		return ""
	}
	return client.BundleName(info) + " sha256:" + info.Digest.String()
}

func (a *Admin) learnReference(w http.ResponseWriter, r *http.Request) {
	var in wire.LearnRequest
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency, ok := a.agencyOf(w, r)
	if !ok {
		return
	}
	what := act{Action: "reference learn", Target: in.ID, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.BundleDiff, string, error) {
		out, err := a.References.Learn(ctx, agency, in, by)
		return out, madeBundle(out.Info), err
	})
}

func (a *Admin) approveReference(w http.ResponseWriter, r *http.Request) {
	var in client.Approval
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency, ok := a.agencyOf(w, r)
	if !ok {
		return
	}
	name := r.PathValue("bundle")
	what := act{Action: "reference approve", Target: name, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.BundleInfo, string, error) {
		out, err := a.References.Approve(ctx, agency, name, in.Next, by)
		return out, madeBundle(out), err
	})
}

func (a *Admin) moveReference(action string, do func(ctx context.Context, agency, name, by string) (wire.BundleInfo, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !empty(w, r) {
			return
		}
		agency, ok := a.agencyOf(w, r)
		if !ok {
			return
		}
		name := r.PathValue("bundle")
		change(a, w, r, act{Action: action, Target: name, agency: agency}, func(ctx context.Context, by string) (wire.BundleInfo, string, error) {
			out, err := do(ctx, agency, name, by)
			return out, madeBundle(out), err
		})
	}
}

func (a *Admin) listSigners(w http.ResponseWriter, r *http.Request) {
	if agency, ok := a.agencyOf(w, r); ok {
		all, err := a.References.Signers(r.Context(), agency)
		answer(a, w, r, agency, listed(all), err)
	}
}

func (a *Admin) addSigner(w http.ResponseWriter, r *http.Request) {
	var in client.NewSigner
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency, ok := a.agencyOf(w, r)
	if !ok {
		return
	}
	what := act{Action: "reference signer add", Target: in.Issuer, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.BundleSigner, string, error) {
		out, err := a.References.AddSigner(ctx, agency, in.Issuer, in.SPKI, by)
		return out, out.Key.String(), err
	})
}

func (a *Admin) removeSigner(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	agency, ok := a.agencyOf(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	change(a, w, r, act{Action: "reference signer remove", Target: name, agency: agency}, func(ctx context.Context, by string) (wire.BundleSigner, string, error) {
		out, err := a.References.RemoveSigner(ctx, agency, name, by)
		return out, "", err
	})
}

func (a *Admin) explainBoot(w http.ResponseWriter, r *http.Request) {
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	out, err := a.References.Explain(r.Context(), d)
	answer(a, w, r, d.Name, out, err)
}
