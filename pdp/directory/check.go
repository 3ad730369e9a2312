package directory

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of what people type.
const (
	maxName   = 100 // runes
	maxGroups = 64
	maxKeys   = 20 // security keys of one person
	maxBlob   = 4 << 10
)

var (
	agencyShape  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	accountShape = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	deviceShape  = regexp.MustCompile(`^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$`)
)

func checkAgencyID(id string) error {
	if len(id) < 2 || len(id) > 32 || !agencyShape.MatchString(id) {
		return &InputError{"agency id", "must be 2 to 32 lower-case letters, digits and single hyphens, and begin with a letter"}
	}
	return nil
}

func checkAccount(field, account string) error {
	if len(account) > 64 || !accountShape.MatchString(account) {
		return &InputError{field, "must be 1 to 64 lower-case letters and digits, joined by single dots, hyphens or underscores"}
	}
	return nil
}

func checkDeviceName(name string) error {
	if len(name) > 63 || !deviceShape.MatchString(name) {
		return &InputError{"device name", "must be 1 to 63 letters and digits, joined by single dots, hyphens or underscores"}
	}
	return nil
}

// checkName accepts what a person may read as a name. Control characters and
// invisible or direction-changing ones are refused: a name is shown on pages,
// in terminals and in the audit log.
func checkName(field, name string) error {
	if !utf8.ValidString(name) {
		return &InputError{field, "must be valid UTF-8"}
	}
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName {
		return &InputError{field, "must have 1 to 100 characters"}
	}
	if strings.TrimSpace(name) != name {
		return &InputError{field, "must not begin or end with a space"}
	}
	for _, r := range name {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return &InputError{field, "must not hold control or invisible characters"}
		}
	}
	return nil
}

func checkGroups(groups []string) error {
	if len(groups) > maxGroups {
		return &InputError{"groups", "must be 64 at most"}
	}
	for i, g := range groups {
		if err := checkAccount("group", g); err != nil {
			return err
		}
		if slices.Contains(groups[:i], g) {
			return &InputError{"groups", "must not name one twice"}
		}
	}
	return nil
}

// checkOrigin accepts an https origin in the one form that browsers send
// (RFC 6454, 6.2): no path, no default port, lower case.
func checkOrigin(origin string) error {
	refused := &InputError{"origin", "must be an https origin such as https://hr.example.gov.tw, in lower case, without path or default port"}
	u, err := url.Parse(origin)
	if err != nil || len(origin) > 255 || u.Scheme != "https" || u.Host == "" || u.Hostname() == "" || u.User != nil {
		return refused
	}
	if origin != "https://"+strings.ToLower(u.Host) || u.Port() == "443" || strings.HasSuffix(u.Host, ":") {
		return refused
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune(`%*,;"'<>\`, r) }) {
		return refused
	}
	return nil
}

func checkDigest(field string, digest []byte) error {
	if len(digest) != 32 {
		return &InputError{field, "must be a SHA-256 digest"}
	}
	return nil
}

func checkBlob(field string, blob []byte) error {
	if len(blob) == 0 || len(blob) > maxBlob {
		return &InputError{field, "must have 1 to 4096 bytes"}
	}
	return nil
}

func checkDevice(dev wire.Device) error {
	if wire.CheckID(wire.PrefixDevice, dev.ID) != nil {
		return &InputError{"device id", "is malformed"}
	}
	if dev.Status != wire.DevicePending && dev.Status != wire.DeviceActive {
		return &InputError{"device status", "must be pending or active"}
	}
	switch dev.Provenance {
	case wire.ProvenanceTPM:
		if err := checkDigest("endorsement key", dev.EKDigest); err != nil {
			return err
		}
	case wire.ProvenanceTPMUnendorsed, wire.ProvenanceSecureEnclave, wire.ProvenanceSoftware:
		if len(dev.EKDigest) != 0 && len(dev.EKDigest) != 32 {
			return &InputError{"endorsement key", "must be a SHA-256 digest or absent"}
		}
	default:
		return &InputError{"provenance", "is unknown"}
	}
	for _, err := range []error{
		checkAgencyID(dev.Agency), checkDeviceName(dev.Name), checkDigest("TLS key", dev.TLSSPKI),
		checkBlob("attestation key", dev.AK), checkBlob("signing key", dev.SigningKey),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
