package eventlog

import (
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Fixed strings of PCR 7 that say that a boot was less safe than it looks
// (Firmware Profile 1.06, 10.4.4; Windows' kernel DMA protection).
const (
	debugMode     = "UEFI Debug Mode"
	dmaUnshielded = "DMA Protection Disabled"
)

// shimStateVariable is 1 where a person switched shim's own checks off.
const shimStateVariable = "MokSBState"

// policy is what PCR 7 says of Secure Boot.
type policy struct {
	seen map[string]bool
	// keys are the numbers of entries of PK, KEK and db.
	keys      map[wire.MeasurementKind]int
	state     wire.SecureBootState
	authority bool
	shimOff   bool
}

func newPolicy() policy {
	return policy{seen: map[string]bool{}, keys: map[wire.MeasurementKind]int{}}
}

// secureBoot reads PCR 7 (3.3.4.8): variables before its separator, and the
// keys that verified images on both sides.
func (r *reader) secureBoot(i int, e *Event) {
	switch e.Type {
	case EFIVariableDriverConfig, EFISPDMDevicePolicy, EFISPDMDeviceAuthority:
		switch {
		case r.separated[7]:
			r.misplaced(i, e)
		case e.Type == EFIVariableDriverConfig:
			r.policyVariable(i, e)
		default:
			r.plainly(e, wire.MeasuredPolicy)
		}
	case EFIVariableAuthority:
		r.authority(i, e)
	case EFIAction, Action:
		r.policyAction(i, e)
	default:
		r.misplaced(i, e)
	}
}

func (r *reader) policyVariable(i int, e *Event) {
	v, ok := parseVariable(e.Data)
	switch {
	case !ok || len(v.trailing) > 0:
		r.tampered(reason.EventLogContent, i, e, "variable")
		return
	case !r.covers(e):
		r.tampered(reason.EventLogDigest, i, e, v.name)
		return
	case r.policy.seen[v.owner+v.name]:
		r.tampered(reason.EventLogTwice, i, e, v.name)
		return
	}
	r.policy.seen[v.owner+v.name] = true
	kind := variableKind(v)
	m := wire.Measurement{Verified: true}
	switch kind {
	case wire.MeasuredSecureBoot:
		r.policy.state, ok = secureBootState(v.data)
		m.Detail = string(r.policy.state)
	case wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB, wire.MeasuredDBX:
		m.Members, ok = signatureLists(v.data)
		r.policy.keys[kind] = len(m.Members)
	}
	if !ok {
		r.tampered(reason.EventLogContent, i, e, v.name)
		return
	}
	r.measure(e, kind, v.label(), m)
}

func variableKind(v variable) wire.MeasurementKind {
	switch {
	case v.is(globalGUID, "SecureBoot"):
		return wire.MeasuredSecureBoot
	case v.is(globalGUID, "PK"):
		return wire.MeasuredPK
	case v.is(globalGUID, "KEK"):
		return wire.MeasuredKEK
	case v.is(imageSecurityGUID, "db"):
		return wire.MeasuredDB
	case v.is(imageSecurityGUID, "dbx"):
		return wire.MeasuredDBX
	}
	return wire.MeasuredPolicy
}

// secureBootState reads the SecureBoot variable. A firmware that has none
// measures it without a byte, and then it is off.
func secureBootState(data []byte) (wire.SecureBootState, bool) {
	switch {
	case len(data) == 0, len(data) == 1 && data[0] == 0:
		return wire.SecureBootOff, true
	case len(data) == 1 && data[0] == 1:
		return wire.SecureBootOn, true
	}
	return "", false
}

// authority reads the key that verified an image, or a variable of shim's.
func (r *reader) authority(i int, e *Event) {
	v, ok := parseVariable(e.Data)
	switch {
	case !ok || !slices.Contains([]int{0, shimTail}, len(v.trailing)):
		r.tampered(reason.EventLogContent, i, e, "authority")
		return
	case !r.covers(e) && !(len(v.trailing) == shimTail && r.bank.is(r.digest(e), e.Data[:len(e.Data)-1])):
		r.tampered(reason.EventLogDigest, i, e, v.name)
		return
	case v.owner == globalGUID: // its variables are settings, not keys
		r.misplaced(i, e)
		return
	}
	m := wire.Measurement{Verified: true}
	kind := authorityKind(v)
	switch kind {
	case wire.MeasuredAuthority:
		r.policy.authority = true
		m.Members = [][]byte{authorityMember(v.data)}
	default:
		if text, ok := letters(v.data); ok {
			m.Detail = text
		}
		if v.is(shimGUID, shimStateVariable) && !slices.Equal(v.data, []byte{0}) {
			r.policy.shimOff = true
			r.tell(reported(wire.FindingFailing, reason.EventLogShimUnenforced, 7, i, shimStateVariable))
		}
	}
	r.measure(e, kind, v.label(), m)
}

// shimTail is how many bytes an old shim leaves behind a variable, of which it
// measured all but the last.
const shimTail = 6

// authorityKind tells shim's own variables from keys.
func authorityKind(v variable) wire.MeasurementKind {
	if v.owner != shimGUID {
		return wire.MeasuredAuthority
	}
	switch v.name {
	case "SbatLevel":
		return wire.MeasuredPolicy
	case "MokListTrusted", shimStateVariable, "MokDBState", "MokIgnoreDB", "MokPolicy":
		return wire.MeasuredMOK
	}
	return wire.MeasuredAuthority
}

func (r *reader) policyAction(i int, e *Event) {
	r.action(i, e)
	if !r.covers(e) {
		return
	}
	switch string(e.Data) {
	case debugMode:
		r.tell(reported(wire.FindingFailing, reason.EventLogDebugger, 7, i, debugMode))
	case dmaUnshielded:
		r.tell(reported(wire.FindingFailing, reason.EventLogDMA, 7, i, dmaUnshielded))
	}
}

// finish tells what only the whole log shows, where nothing was refused before
// that would explain it.
func (r *reader) finish() {
	r.unseparated()
	if r.policy.state != wire.SecureBootOn {
		return
	}
	for _, kind := range [...]wire.MeasurementKind{wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB} {
		if r.policy.keys[kind] == 0 {
			r.tell(tampered(reason.EventLogSecureBoot, 7, -1, "on without "+string(kind)))
		}
	}
	if !r.policy.authority {
		r.tell(tampered(reason.EventLogSecureBoot, 7, -1, "on without an authority"))
	}
}

// state is what the boot enforced: nothing where shim was told not to.
func (r *reader) state() wire.SecureBootState {
	if r.policy.shimOff {
		return wire.SecureBootOff
	}
	return r.policy.state
}
