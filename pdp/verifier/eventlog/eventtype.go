package eventlog

import "fmt"

// Event types (PC Client Platform Firmware Profile 1.06, 10.4.1, and for those
// of conventional BIOS the PC Client Implementation Specification 1.21,
// 11.3.1). An event's type is not authenticated.
const (
	PrebootCert          uint32 = 0x00000000
	PostCode             uint32 = 0x00000001
	NoAction             uint32 = 0x00000003
	Separator            uint32 = 0x00000004
	Action               uint32 = 0x00000005
	EventTag             uint32 = 0x00000006
	CRTMContents         uint32 = 0x00000007
	CRTMVersion          uint32 = 0x00000008
	CPUMicrocode         uint32 = 0x00000009
	PlatformConfigFlags  uint32 = 0x0000000a
	TableOfDevices       uint32 = 0x0000000b
	CompactHash          uint32 = 0x0000000c
	IPL                  uint32 = 0x0000000d
	IPLPartitionData     uint32 = 0x0000000e
	NonhostCode          uint32 = 0x0000000f
	NonhostConfig        uint32 = 0x00000010
	NonhostInfo          uint32 = 0x00000011
	OmitBootDeviceEvents uint32 = 0x00000012
	PostCode2            uint32 = 0x00000013

	EFIVariableDriverConfig    uint32 = 0x80000001
	EFIVariableBoot            uint32 = 0x80000002
	EFIBootServicesApplication uint32 = 0x80000003
	EFIBootServicesDriver      uint32 = 0x80000004
	EFIRuntimeServicesDriver   uint32 = 0x80000005
	EFIGPTEvent                uint32 = 0x80000006
	EFIAction                  uint32 = 0x80000007
	EFIPlatformFirmwareBlob    uint32 = 0x80000008
	EFIHandoffTables           uint32 = 0x80000009
	EFIPlatformFirmwareBlob2   uint32 = 0x8000000a
	EFIHandoffTables2          uint32 = 0x8000000b
	EFIVariableBoot2           uint32 = 0x8000000c
	EFIGPTEvent2               uint32 = 0x8000000d
	EFIHCRTMEvent              uint32 = 0x80000010
	EFIVariableAuthority       uint32 = 0x800000e0
	EFISPDMFirmwareBlob        uint32 = 0x800000e1
	EFISPDMFirmwareConfig      uint32 = 0x800000e2
	EFISPDMDevicePolicy        uint32 = 0x800000e3
	EFISPDMDeviceAuthority     uint32 = 0x800000e4
)

// typeName returns a short name of a type, for people and for the names of
// measurements; empty if the type is not known here.
func typeName(t uint32) string {
	switch t {
	case PrebootCert:
		return "preboot-cert"
	case PostCode, PostCode2:
		return "post-code"
	case NoAction:
		return "no-action"
	case Separator:
		return "separator"
	case Action, EFIAction:
		return "action"
	case EventTag:
		return "tag"
	case CRTMContents:
		return "crtm-contents"
	case CRTMVersion:
		return "crtm-version"
	case CPUMicrocode:
		return "microcode"
	case PlatformConfigFlags:
		return "platform-config"
	case TableOfDevices:
		return "devices"
	case CompactHash:
		return "compact-hash"
	case IPL:
		return "ipl"
	case IPLPartitionData:
		return "ipl-partition"
	}
	return laterTypeName(t)
}

func laterTypeName(t uint32) string {
	switch t {
	case NonhostCode:
		return "nonhost-code"
	case NonhostConfig:
		return "nonhost-config"
	case NonhostInfo:
		return "nonhost-info"
	case OmitBootDeviceEvents:
		return "omit-boot-devices"
	case EFIVariableDriverConfig, EFIVariableBoot, EFIVariableBoot2:
		return "variable"
	case EFIBootServicesApplication:
		return "application"
	case EFIBootServicesDriver:
		return "driver"
	case EFIRuntimeServicesDriver:
		return "runtime-driver"
	case EFIGPTEvent, EFIGPTEvent2:
		return "gpt"
	case EFIPlatformFirmwareBlob, EFIPlatformFirmwareBlob2:
		return "blob"
	case EFIHandoffTables, EFIHandoffTables2:
		return "tables"
	case EFIHCRTMEvent:
		return "h-crtm"
	case EFIVariableAuthority:
		return "authority"
	case EFISPDMFirmwareBlob:
		return "spdm-blob"
	case EFISPDMFirmwareConfig:
		return "spdm-config"
	case EFISPDMDevicePolicy:
		return "spdm-policy"
	case EFISPDMDeviceAuthority:
		return "spdm-authority"
	}
	return ""
}

// describeType names a type even if it is not known.
func describeType(t uint32) string {
	if name := typeName(t); name != "" {
		return name
	}
	return fmt.Sprintf("type 0x%08x", t)
}
