package wire

import "time"

// Provenance says where a device's keys live (requirements 5).
type Provenance string

// Provenances. The zero value is nothing known.
const (
	ProvenanceTPM           Provenance = "tpm"
	ProvenanceTPMUnendorsed Provenance = "tpm-unendorsed"
	ProvenanceSecureEnclave Provenance = "secure-enclave"
	ProvenanceSoftware      Provenance = "software"
)

// Agency is one government body. ID is a short lower-case name such as "moda".
type Agency struct {
	ID     string `json:"id"`
	NameZH string `json:"name_zh"`
	NameEN string `json:"name_en"`
}

// Person is somebody who signs in.
type Person struct {
	ID       string   `json:"id"`
	Agency   string   `json:"agency"`
	Name     string   `json:"name"`
	Account  string   `json:"account"` // unique in the agency, such as "wang.xm"
	Groups   []string `json:"groups,omitempty"`
	Admin    bool     `json:"admin,omitempty"` // administrator of the agency
	Disabled bool     `json:"disabled,omitempty"`
	// Handle is the WebAuthn user handle: 32 random bytes, never the account.
	Handle    []byte    `json:"handle"`
	CreatedAt time.Time `json:"created_at"`
	// SignedOutAt is when an administrator last ended all that this person had
	// signed in to: a sign-in at or before it counts for nothing.
	SignedOutAt time.Time `json:"signed_out_at,omitzero"`
}

// SignInStands reports whether a sign-in at that time still counts.
func (p Person) SignInStands(at time.Time) bool { return !at.IsZero() && at.After(p.SignedOutAt) }

// SecurityKey is a registered WebAuthn credential.
type SecurityKey struct {
	ID           string `json:"id"`
	PersonID     string `json:"person_id"`
	Agency       string `json:"agency"`
	CredentialID []byte `json:"credential_id"`
	PublicKey    []byte `json:"public_key"` // COSE_Key
	AAGUID       []byte `json:"aaguid"`
	SignCount    uint32 `json:"sign_count"`
	Nickname     string `json:"nickname"`
	Model        string `json:"model"`
	// Hardware says that the attestation proved a hardware key by trusted metadata.
	Hardware   bool      `json:"hardware"`
	Transports []string  `json:"transports,omitempty"`
	AddedAt    time.Time `json:"added_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	Revoked    bool      `json:"revoked,omitempty"`
}

// DeviceStatus is where a device stands in its life.
type DeviceStatus string

// Device statuses. Only active devices are known; the zero value is not.
const (
	DevicePending DeviceStatus = "pending"
	DeviceActive  DeviceStatus = "active"
	// DeviceQuarantined attests as before, so that it can be looked into and
	// come back, and opens nothing meanwhile.
	DeviceQuarantined DeviceStatus = "quarantined"
	DeviceRetired     DeviceStatus = "retired"
)

// Device is an enrolled machine with the keys that are pinned for it.
type Device struct {
	ID         string       `json:"id"`
	Agency     string       `json:"agency"`
	Name       string       `json:"name"` // such as LT-2231
	Status     DeviceStatus `json:"status"`
	Provenance Provenance   `json:"provenance"`
	// EKDigest is SHA-256 over the EK's SubjectPublicKeyInfo.
	EKDigest []byte `json:"ek_digest"`
	// AK and SigningKey are TPMT_PUBLIC as the TPM marshalled them; TLSSPKI is
	// SHA-256 over the TLS key's SubjectPublicKeyInfo.
	AK []byte `json:"ak"`
	// AKQualifiedName is the AK's Qualified Name under its EK in the
	// endorsement hierarchy, as the PDP computed it at enrolment. Every quote
	// must carry it.
	AKQualifiedName []byte    `json:"ak_qualified_name"`
	SigningKey      []byte    `json:"signing_key"`
	TLSSPKI         []byte    `json:"tls_spki"`
	EnrolledAt      time.Time `json:"enrolled_at"`
	// Owner is the id of the person that the device was given to, empty if
	// none: then anybody of the agency may use it.
	Owner string `json:"owner,omitempty"`
	// Group is a set of devices that administrators treat alike, such as
	// "pilot"; empty if none.
	Group string `json:"group,omitempty"`
	// StatusReason is what an administrator wrote when the status changed last.
	StatusReason string `json:"status_reason,omitempty"`
}

// Sensitivity is a portal's class for the access policy.
type Sensitivity string

// Sensitivities. Anything else, the zero value too, counts as sensitive.
const (
	PortalNormal    Sensitivity = "normal"
	PortalSensitive Sensitivity = "sensitive"
)

// Portal is a protected application behind a proxy.
type Portal struct {
	ID          string      `json:"id"`
	Agency      string      `json:"agency"`
	NameZH      string      `json:"name_zh"`
	NameEN      string      `json:"name_en"`
	Origin      string      `json:"origin"` // https://hr.example.gov.tw, no path
	Sensitivity Sensitivity `json:"sensitivity"`
	// SecretHash is SHA-256 of the bearer secret its proxy presents.
	SecretHash []byte `json:"secret_hash"`
	// Hosts are the ids of the attested devices that serve the application
	// (requirements 20); none if it is not known what it runs on.
	Hosts []string `json:"hosts,omitempty"`
	// Routes grade and class what lies behind the portal; the first that fits
	// counts. What no route fits is graded by its method and has no class.
	Routes []Route `json:"routes,omitempty"`
	// TokenFrom are the networks, as CIDR, of the portal's own servers: from
	// there, and from nowhere else, an access token may be presented in a
	// person's name. None if there is no list.
	TokenFrom []string `json:"token_from,omitempty"`
}

// Route says how requests for a part of a portal are judged.
type Route struct {
	// Path is a prefix of whole segments: "/payroll" fits /payroll and
	// /payroll/2026, not /payrolls.
	Path string `json:"path"`
	// Methods that it fits; all if there is no list.
	Methods []string `json:"methods,omitempty"`
	// Action is the grade; by the method where it is empty.
	Action Action `json:"action,omitempty"`
	// Class is the policy resource class: lower-case letters, digits and
	// hyphens, at most 32.
	Class string `json:"class,omitempty"`
}
