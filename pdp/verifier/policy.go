package verifier

import (
	"errors"
	"fmt"
	"strings"
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
