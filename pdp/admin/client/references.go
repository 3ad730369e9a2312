package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The messages of boot reference values.
type (
	// Approval approves a draft, to be current at once or next.
	Approval struct {
		Next bool `json:"next,omitempty"`
	}
	// NewSigner registers a key whose bundles are trusted: its
	// SubjectPublicKeyInfo in DER, and the issuer that it stands for.
	NewSigner struct {
		Issuer string `json:"issuer"`
		SPKI   []byte `json:"spki"`
	}
)

// BundleName is how one version of a bundle is named: "id@version".
func BundleName(info wire.BundleInfo) string {
	return info.ID + "@" + strconv.FormatUint(info.Version, 10)
}

// References lists an agency's bundles.
func (c *Client) References(ctx context.Context, agency string) ([]wire.BundleInfo, error) {
	return call[[]wire.BundleInfo](ctx, c, http.MethodGet, under(agency, "references"), nil)
}

// Reference shows a bundle with its values.
func (c *Client) Reference(ctx context.Context, agency, name string) (wire.BundleView, error) {
	return call[wire.BundleView](ctx, c, http.MethodGet, bundle(agency, name, ""), nil)
}

// ReferenceDiff shows what a bundle changes against the current one.
func (c *Client) ReferenceDiff(ctx context.Context, agency, name string) (wire.BundleDiff, error) {
	return call[wire.BundleDiff](ctx, c, http.MethodGet, bundle(agency, name, "/diff"), nil)
}

// ImportReference keeps a signed bundle as a draft.
func (c *Client) ImportReference(ctx context.Context, agency string, s wire.SignedBundle) (wire.BundleInfo, error) {
	return call[wire.BundleInfo](ctx, c, http.MethodPost, under(agency, "references"), s)
}

// LearnReference makes a draft of what machines showed at their last boot.
func (c *Client) LearnReference(ctx context.Context, agency string, in wire.LearnRequest) (wire.BundleDiff, error) {
	return call[wire.BundleDiff](ctx, c, http.MethodPost, under(agency, "reference-learn"), in)
}

// ApproveReference makes a draft current, or next.
func (c *Client) ApproveReference(ctx context.Context, agency, name string, in Approval) (wire.BundleInfo, error) {
	return call[wire.BundleInfo](ctx, c, http.MethodPost, bundle(agency, name, "/approve"), in)
}

// ActivateReference makes a next bundle current.
func (c *Client) ActivateReference(ctx context.Context, agency, name string) (wire.BundleInfo, error) {
	return call[wire.BundleInfo](ctx, c, http.MethodPost, bundle(agency, name, "/activate"), struct{}{})
}

// RetireReference takes a bundle out of use.
func (c *Client) RetireReference(ctx context.Context, agency, name string) (wire.BundleInfo, error) {
	return call[wire.BundleInfo](ctx, c, http.MethodPost, bundle(agency, name, "/retire"), struct{}{})
}

// ReferenceFleet tells how the agency's devices would stand if a bundle were
// current, or stand now for "".
func (c *Client) ReferenceFleet(ctx context.Context, agency, name string) (wire.FleetReport, error) {
	path := under(agency, "reference-fleet")
	if name != "" {
		path += "?bundle=" + url.QueryEscape(name)
	}
	return call[wire.FleetReport](ctx, c, http.MethodGet, path, nil)
}

// Signers lists the keys whose bundles an agency trusts.
func (c *Client) Signers(ctx context.Context, agency string) ([]wire.BundleSigner, error) {
	return call[[]wire.BundleSigner](ctx, c, http.MethodGet, under(agency, "reference-signers"), nil)
}

// AddSigner has an agency trust a key's bundles.
func (c *Client) AddSigner(ctx context.Context, agency string, in NewSigner) (wire.BundleSigner, error) {
	return call[wire.BundleSigner](ctx, c, http.MethodPost, under(agency, "reference-signers"), in)
}

// RemoveSigner ends that trust; the key is named by its digest.
func (c *Client) RemoveSigner(ctx context.Context, agency, key string) (wire.BundleSigner, error) {
	return call[wire.BundleSigner](ctx, c, http.MethodPost, under(agency, "reference-signers/"+url.PathEscape(key)+"/remove"), struct{}{})
}

// Boot explains a device's last boot.
func (c *Client) Boot(ctx context.Context, agency, name string) (wire.BootExplanation, error) {
	return call[wire.BootExplanation](ctx, c, http.MethodGet, one("devices", agency, name, "boot"), nil)
}

func bundle(agency, name, verb string) string {
	return under(agency, "references/"+url.PathEscape(name)+verb)
}
