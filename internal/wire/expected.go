package wire

import "time"

// ExpectedList is a list of devices that an agency expects to enrol, known by
// their endorsement keys: from a delivery note, or from the asset inventory.
type ExpectedList struct {
	ID         string    `json:"id"`
	Agency     string    `json:"agency"`
	Name       string    `json:"name"`
	ImportedBy string    `json:"imported_by"`
	ImportedAt time.Time `json:"imported_at"`
	// Devices are on the list, Arrived of them have enrolled.
	Devices int `json:"devices"`
	Arrived int `json:"arrived"`
}

// IssuedCode is a one-time enrolment code for a device of this name.
type IssuedCode struct {
	DeviceName string `json:"device_name"`
	Code       string `json:"code"`
}

// ExpectedDevice is one row of an ExpectedList.
type ExpectedDevice struct {
	// EK is SHA-256 over the EK's SubjectPublicKeyInfo, in hexadecimal.
	EK         string `json:"ek_sha256"`
	DeviceName string `json:"device_name"`
	Owner      string `json:"owner,omitempty"` // id of a person of the agency
	Group      string `json:"group,omitempty"`
	// Device is the id of the device that enrolled with this EK, empty before.
	Device    string    `json:"device,omitempty"`
	ArrivedAt time.Time `json:"arrived_at,omitzero"`
}
