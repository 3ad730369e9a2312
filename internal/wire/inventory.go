package wire

// Inventory is the software on a device: POST /v1/inventory. The claims carry
// its digest, so that a quote covers it.
type Inventory struct {
	Software []Software `json:"software"`
}

// MaxInventoryBytes bounds an inventory's JSON.
const MaxInventoryBytes = 2 << 20

// Software is one installed program or package.
type Software struct {
	// Source is the list that it was read from: "dpkg", "rpm", "registry" or
	// "applications".
	Source string `json:"source"`
	Name   string `json:"name"`
	// Version is as that source writes it.
	Version string `json:"version"`
	// Vendor is the maker where the source says so.
	Vendor string `json:"vendor,omitempty"`
	// Origin is the source package where it differs from Name.
	Origin string `json:"origin,omitempty"`
	Arch   string `json:"arch,omitempty"`
}
