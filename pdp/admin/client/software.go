package client

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Software is what runs on one device.
type Software struct {
	Device    string         `json:"device"` // its name
	At        time.Time      `json:"at"`     // when the list came
	Digest    []byte         `json:"digest"`
	Inventory wire.Inventory `json:"inventory"`
	// Vulnerabilities is nil where no feed is configured.
	Vulnerabilities *wire.Vulnerabilities `json:"vulnerabilities,omitempty"`
}

// SoftwareExport is an agency's software as VANS asks for it (requirements 9).
type SoftwareExport struct {
	Agency  string    `json:"agency"`
	At      time.Time `json:"at"`
	Devices int       `json:"devices"` // whose inventory is in it
	// Without counts the active devices that sent no inventory.
	Without int     `json:"without"`
	Assets  []Asset `json:"assets"`
}

// Asset is one product in one version.
type Asset struct {
	Vendor  string `json:"vendor"`
	Product string `json:"product"`
	Version string `json:"version"`
	CPE     string `json:"cpe"` // CPE 2.3 formatted string (NISTIR 7695)
	// Guessed says that the CPE dictionary's names for it are not known here.
	Guessed bool `json:"guessed,omitempty"`
	Devices int  `json:"devices"` // that have it
}

// Software shows what runs on a device, named by id or by name in an agency.
func (c *Client) Software(ctx context.Context, agency, name string) (Software, error) {
	return call[Software](ctx, c, http.MethodGet, one("devices", agency, name, "software"), nil)
}

// ExportSoftware joins the software of an agency's active devices.
func (c *Client) ExportSoftware(ctx context.Context, agency string) (SoftwareExport, error) {
	return call[SoftwareExport](ctx, c, http.MethodGet, under(agency, "software"), nil)
}
