package wire

import "time"

// InventoryReport is POST /v1/inventory.
type InventoryReport struct {
	// Inventory are the exact bytes of an Inventory document. The claims carry
	// their digest, so that a quote covers them.
	Inventory []byte `json:"inventory"`
}

// Inventory is the software on a device.
type Inventory struct {
	// System and Release name the operating system as os-release(5) does, such
	// as "debian" and "13"; "windows" or "macos" with the build elsewhere.
	System   string     `json:"system"`
	Release  string     `json:"release"`
	Software []Software `json:"software"`
}

// MaxInventoryBytes bounds an inventory's JSON.
const MaxInventoryBytes = 2 << 20

// Software is one installed program or package.
type Software struct {
	// Source is the list that it was read from.
	Source SoftwareSource `json:"source"`
	Name   string         `json:"name"`
	// Version is as that source writes it.
	Version string `json:"version"`
	// Vendor is the maker where the source says so.
	Vendor string `json:"vendor,omitempty"`
	// Origin is the source package where it differs from Name.
	Origin string `json:"origin,omitempty"`
	Arch   string `json:"arch,omitempty"`
}

// SoftwareSource is a list that software is read from. How its versions compare
// follows from it.
type SoftwareSource string

// Software sources.
const (
	SoftwareDpkg         SoftwareSource = "dpkg"
	SoftwareRPM          SoftwareSource = "rpm"
	SoftwareRegistry     SoftwareSource = "registry"
	SoftwareApplications SoftwareSource = "applications"
)

// InventoryTaken answers an InventoryReport.
type InventoryTaken struct {
	// Digest is SHA-256 over the bytes that arrived.
	Digest []byte `json:"digest"`
}

// Vulnerabilities is what the PDP's feed knows of one inventory. The zero value
// knows nothing.
type Vulnerabilities struct {
	// Inventory is the digest of the inventory that was looked at.
	Inventory []byte `json:"inventory"`
	// FeedAsOf is when the feed was put together.
	FeedAsOf time.Time `json:"feed_as_of"`
	// Covered says that the feed knows this operating system at all.
	Covered bool `json:"covered"`
	// Known counts the pairs of a program and a vulnerability, Critical those
	// of CVSS 9.0 and more.
	Known    int     `json:"known"`
	Critical int     `json:"critical"`
	MaxCVSS  float64 `json:"max_cvss"`
	MaxEPSS  float64 `json:"max_epss"`
	// Exploited are those that are known to be exploited, the longest known
	// first, at most MaxExploited of ExploitedCount.
	Exploited      []Vulnerability `json:"exploited,omitempty"`
	ExploitedCount int             `json:"exploited_count"`
}

// MaxExploited bounds Vulnerabilities.Exploited.
const MaxExploited = 20

// Vulnerability is one vulnerability of one program on a device.
type Vulnerability struct {
	CVE      string `json:"cve"`
	Software string `json:"software"`
	Version  string `json:"version"`
	// Fixed is the first version without it; empty where there is none yet.
	Fixed string `json:"fixed,omitempty"`
	// CVSS is a base score of 0 to 10, EPSS a probability of 0 to 1.
	CVSS float64 `json:"cvss"`
	EPSS float64 `json:"epss"`
	// ExploitedSince is when it was listed as known to be exploited (CISA KEV);
	// zero if it is not.
	ExploitedSince time.Time `json:"exploited_since,omitzero"`
}
