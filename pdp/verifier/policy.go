package verifier

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// OS is a release of an operating system as os-release(5) names it.
type OS struct{ ID, Version string }

// String is the form that ParseOS reads.
func (o OS) String() string { return o.ID + " " + o.Version }

// covers reports whether version is this release or a minor one of it: "9"
// covers "9.4".
func (o OS) covers(id, version string) bool {
	return o.ID == id && (o.Version == version || strings.HasPrefix(version, o.Version+"."))
}

// ErrOS is returned for a release that cannot be read.
var ErrOS = errors.New(`verifier: a release is an ID and a VERSION_ID, such as "debian 13"`)

// ParseOS reads a release such as "debian 13".
func ParseOS(text string) (OS, error) {
	id, version, ok := strings.Cut(text, " ")
	if !ok || id == "" || version == "" || strings.ContainsAny(version, " \t") || id != strings.ToLower(id) {
		return OS{}, fmt.Errorf("%w, not %q", ErrOS, text)
	}
	return OS{id, version}, nil
}

// Policy is the appraisal policy.
type Policy struct {
	// SupportedOS lists the releases that count as supported; none if empty.
	SupportedOS []OS
	// Required lists the claims that every device must make and pass; all that
	// are known if empty.
	Required []wire.ClaimID
	// Baselines are the configuration baselines that devices are held against.
	Baselines []BaselinePolicy
	// Vulnerabilities says how long a known exploited one may stay.
	Vulnerabilities VulnerabilityPolicy
	// Boot is the part that is about the boot.
	Boot BootPolicy
}

// ErrClaim is returned for a claim that no verifier knows.
var ErrClaim = errors.New("verifier: no such claim")

// concluded are the claims that no device makes: the Verifier concludes them
// from what was measured.
var concluded = [...]wire.ClaimID{wire.ClaimBaseline, wire.ClaimVulnerabilities}

// DefaultRequired are the claims that are demanded where nothing else is set.
func DefaultRequired() []wire.ClaimID {
	return []wire.ClaimID{
		wire.ClaimOSRelease, wire.ClaimOSUpdates, wire.ClaimDiskEncryption, wire.ClaimFirewall,
		wire.ClaimSecureBoot, wire.ClaimScreenLock, wire.ClaimAntivirus, wire.ClaimTimeSync,
	}
}

// ParseRequired reads the claims that are to be demanded. An unknown one, one
// named twice, and none at all are errors.
func ParseRequired(names []string) ([]wire.ClaimID, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: the list is empty", ErrClaim)
	}
	required := make([]wire.ClaimID, 0, len(names))
	for _, name := range names {
		id := wire.ClaimID(name)
		if !slices.ContainsFunc(demands[:], func(d demand) bool { return d.id == id }) && !slices.Contains(concluded[:], id) {
			return nil, fmt.Errorf("%w: %q", ErrClaim, name)
		}
		if slices.Contains(required, id) {
			return nil, fmt.Errorf("verifier: the claim %q is named twice", name)
		}
		required = append(required, id)
	}
	return required, nil
}

func (p Policy) requires(id wire.ClaimID) bool {
	return len(p.Required) == 0 || slices.Contains(p.Required, id)
}

func (p Policy) supports(id, version string) bool {
	for _, o := range p.SupportedOS {
		if o.covers(id, version) {
			return true
		}
	}
	return false
}

func (p Policy) supported() string {
	names := make([]string, len(p.SupportedOS))
	for i, o := range p.SupportedOS {
		names[i] = o.String()
	}
	return strings.Join(names, ", ")
}
