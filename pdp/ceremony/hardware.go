package ceremony

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/google/uuid"

	"github.com/menshen-zt/menshen/internal/reason"
)

// hardware judges a model for AAL3 (requirements 16): the library checks that
// the attestation chains to the model's anchors, but accepts a model whose
// metadata says "software" or "not certified". It returns the model's name.
func (m *models) hardware(ctx context.Context, aaguid uuid.UUID, now time.Time) (string, *Refusal) {
	if !m.loaded {
		return "", refuse(reason.KeyMetadataMissing, errors.New("no FIDO metadata file is set"))
	}
	entry := m.entry(ctx, aaguid)
	if entry == nil { // the zero AAGUID never has one
		return "", refuse(reason.KeyModelUnknown, errors.New("no metadata for "+aaguid.String()))
	}
	if len(m.permitted) > 0 && !m.permitted[aaguid] {
		return "", refuse(reason.KeyModelNotPermitted, errors.New("not on the list: "+aaguid.String()))
	}
	statement := entry.MetadataStatement
	if !inHardware(statement.KeyProtection) {
		return "", refuse(reason.KeyModelNotHardware, errors.New("key protection of "+aaguid.String()))
	}
	if metadata.ValidateStatusReportsAt(entry.StatusReports, nil, metadata.DefaultUndesiredAuthenticatorStatuses(), now) != nil {
		return "", refuse(reason.KeyModelCompromised, errors.New("status of "+aaguid.String()))
	}
	if !certified(entry.StatusReports, now) {
		return "", refuse(reason.KeyNotCertified, errors.New("certification of "+aaguid.String()))
	}
	return statement.Description, nil
}

// inHardware reads KEY_PROTECTION (FIDO Registry, 3.2): the private key must be
// held in hardware or a secure element, never in software.
func inHardware(protection []string) bool {
	return !slices.Contains(protection, "software") &&
		(slices.Contains(protection, "hardware") || slices.Contains(protection, "secure_element"))
}

// certified reports whether the reports in effect leave the model with a FIDO
// authenticator certification of level 1 or more (FIDO MDS 3, 3.1.4). A later
// report that takes the certification back wins.
func certified(reports []metadata.StatusReport, now time.Time) bool {
	holds := false
	for _, report := range metadata.EffectiveStatusReports(reports, now) {
		switch report.Status {
		case metadata.FidoCertified, metadata.FidoCertifiedL1, metadata.FidoCertifiedL1plus, metadata.FidoCertifiedL2,
			metadata.FidoCertifiedL2plus, metadata.FidoCertifiedL3, metadata.FidoCertifiedL3plus:
			holds = true
		case metadata.NotFidoCertified, metadata.SelfAssertionSubmitted, metadata.Revoked, metadata.Retired:
			holds = false
		}
	}
	return holds
}
