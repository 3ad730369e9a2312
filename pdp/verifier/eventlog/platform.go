package eventlog

import (
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// firmware reads PCR 0 (Firmware Profile 1.06, 3.3.4.1): nothing but tables is
// measured after its separator.
func (r *reader) firmware(i int, e *Event) {
	switch e.Type {
	case EFIHandoffTables, EFIHandoffTables2:
	case PostCode, PostCode2, CRTMContents, CRTMVersion, CPUMicrocode, NonhostCode, NonhostConfig, NonhostInfo,
		EFIPlatformFirmwareBlob, EFIPlatformFirmwareBlob2, EFIHCRTMEvent, EFISPDMFirmwareBlob,
		EFIBootServicesDriver, EFIRuntimeServicesDriver, Action, EFIAction, EventTag, TableOfDevices,
		PlatformConfigFlags, CompactHash:
		if r.separated[0] {
			r.misplaced(i, e)
			return
		}
	default:
		r.misplaced(i, e)
		return
	}
	r.plainly(e, wire.MeasuredFirmware)
}

// optionROM reads PCR 2 (3.3.4.3). Drivers are loaded on both sides of its
// separator.
func (r *reader) optionROM(i int, e *Event) {
	switch e.Type {
	case EFIBootServicesDriver, EFIRuntimeServicesDriver, EFIBootServicesApplication:
		image := parseImage(e.Data)
		name := image.name
		if name == "" {
			name = typeName(e.Type)
		}
		r.measure(e, wire.MeasuredOptionROM, name, wire.Measurement{Detail: image.path})
	case PostCode, PostCode2, EFIPlatformFirmwareBlob, EFIPlatformFirmwareBlob2, EFISPDMFirmwareBlob,
		NonhostCode, NonhostConfig, NonhostInfo, Action, EFIAction, EventTag, CompactHash:
		if r.separated[2] {
			r.misplaced(i, e)
			return
		}
		r.plainly(e, wire.MeasuredOptionROM)
	default:
		r.misplaced(i, e)
	}
}

// setting reads the PCRs that no policy rests on: 1, 3, 5 and 6.
func (r *reader) setting(i int, e *Event) {
	switch e.Type {
	case EFIVariableDriverConfig, EFIVariableBoot, EFIVariableBoot2:
		r.settingVariable(i, e)
	case EFIGPTEvent, EFIGPTEvent2:
		r.measure(e, wire.MeasuredPartitions, "gpt", wire.Measurement{Verified: r.covers(e)})
	case Action, EFIAction:
		if r.covers(e) {
			r.action(i, e)
			return
		}
		r.unknown(i, e)
	default:
		r.plainly(e, wire.MeasuredSetting)
	}
}

// settingVariable reads a variable whose digest is that of the whole structure
// or, as versions up to 1.05 had it for EV_EFI_VARIABLE_BOOT, of its data alone.
func (r *reader) settingVariable(i int, e *Event) {
	v, ok := parseVariable(e.Data)
	if !ok || !r.covers(e) && !r.bank.is(r.digest(e), v.data) {
		r.unknown(i, e)
		return
	}
	r.measure(e, wire.MeasuredSetting, v.label(), wire.Measurement{Verified: true})
}

// bootApplication reads PCR 4 (3.3.4.5).
func (r *reader) bootApplication(i int, e *Event) {
	switch e.Type {
	case Action, EFIAction, OmitBootDeviceEvents:
		r.action(i, e)
	case EFIBootServicesApplication, EFIBootServicesDriver, EFIRuntimeServicesDriver:
		r.bootImage(i, e)
	case IPL, CompactHash, EventTag:
		if !r.separated[4] {
			r.misplaced(i, e)
			return
		}
		r.plainly(e, wire.MeasuredBootApplication)
	default:
		r.misplaced(i, e)
	}
}

// bootImage reads an image that was started. Only firmware can start one before
// the separator: some makers do, for their own services.
func (r *reader) bootImage(i int, e *Event) {
	image := parseImage(e.Data)
	name := image.name
	if !r.separated[4] {
		r.measure(e, wire.MeasuredBootApplication, "early "+name, wire.Measurement{Detail: image.path})
		r.tell(reported(wire.FindingUnsupported, reason.EventLogEarlyApplication, 4, i, plain(name, maxText)))
		return
	}
	r.applications++
	if name == "" {
		name = ordinal(r.applications)
	}
	r.measure(e, wire.MeasuredBootApplication, name, wire.Measurement{Detail: image.path})
}
