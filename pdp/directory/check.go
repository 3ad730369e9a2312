package directory

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
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

func wrong(field, code string) *InputError {
	return &InputError{Field: field, Why: reason.New(code, "field", field)}
}

func checkAgencyID(id string) error {
	if len(id) < 2 || len(id) > 32 || !agencyShape.MatchString(id) {
		return wrong("agency id", reason.CfgAgencyID)
	}
	return nil
}

func checkAccount(field, account string) error {
	if len(account) > 64 || !accountShape.MatchString(account) {
		return wrong(field, reason.CfgAccount)
	}
	return nil
}

func checkDeviceName(name string) error {
	if len(name) > 63 || !deviceShape.MatchString(name) {
		return wrong("device name", reason.CfgDeviceName)
	}
	return nil
}

// checkName accepts what a person may read as a name. Control characters and
// invisible or direction-changing ones are refused: a name is shown on pages,
// in terminals and in the audit log.
func checkName(field, name string) error {
	if !utf8.ValidString(name) {
		return wrong(field, reason.CfgName)
	}
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName {
		return wrong(field, reason.CfgName)
	}
	if strings.TrimSpace(name) != name {
		return wrong(field, reason.CfgName)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			return wrong(field, reason.CfgName)
		}
	}
	return nil
}

func checkGroups(groups []string) error {
	if len(groups) > maxGroups {
		return wrong("groups", reason.CfgGroups)
	}
	for i, g := range groups {
		if err := checkAccount("group", g); err != nil {
			return err
		}
		if slices.Contains(groups[:i], g) {
			return wrong("groups", reason.CfgGroups)
		}
	}
	return nil
}

// checkOrigin accepts an https origin in the one form that browsers send
// (RFC 6454, 6.2): no path, no default port, lower case.
func checkOrigin(origin string) error {
	refused := wrong("origin", reason.CfgOrigin)
	u, err := url.Parse(origin)
	if err != nil || len(origin) > 255 || u.Host == "" || u.Hostname() == "" || u.User != nil {
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
		return wrong(field, reason.CfgValue)
	}
	return nil
}

func checkBlob(field string, blob []byte) error {
	if len(blob) == 0 || len(blob) > maxBlob {
		return wrong(field, reason.CfgValue)
	}
	return nil
}

func checkDevice(dev wire.Device) error {
	if wire.CheckID(wire.PrefixDevice, dev.ID) != nil {
		return wrong("device id", reason.CfgValue)
	}
	if dev.Status != wire.DevicePending && !inService(dev) {
		return wrong("device status", reason.CfgValue)
	}
	switch dev.Provenance {
	case wire.ProvenanceTPM:
		if err := checkDigest("endorsement key", dev.EKDigest); err != nil {
			return err
		}
	case wire.ProvenanceTPMUnendorsed, wire.ProvenanceSecureEnclave, wire.ProvenanceSoftware:
		if len(dev.EKDigest) != 0 && len(dev.EKDigest) != 32 {
			return wrong("endorsement key", reason.CfgValue)
		}
	default:
		return wrong("provenance", reason.CfgValue)
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
