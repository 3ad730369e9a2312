package posture

import (
	"context"
	"time"
)

// Windows is what Windows' own interfaces answer, so that recorded answers can
// take their place.
type Windows interface {
	// Number and Text read a value of the registry below HKEY_LOCAL_MACHINE;
	// there is false where nothing sets it.
	Number(key, name string) (value uint64, there bool, err error)
	Text(key, name string) (value string, there bool, err error)
	// Build is the version as Windows counts it, such as 10.0.26100.4652.
	Build() (string, error)
	// Updates asks Windows Update's agent what it found when it searched last.
	Updates(ctx context.Context) (UpdateState, error)
	// SystemVolume asks BitLocker about the volume that Windows starts from.
	SystemVolume(ctx context.Context) (VolumeState, error)
	// FirewallProfiles are the profiles that are in force now.
	FirewallProfiles(ctx context.Context) ([]FirewallProfile, error)
	// SecurityHealth is Windows Security Center's own judgement of the
	// antivirus, 0 to 3 (WSC_SECURITY_PROVIDER_HEALTH).
	SecurityHealth() (uint32, error)
	// Defender is asked where there is no Security Center, as on a server.
	Defender(ctx context.Context) (DefenderState, error)
	// SecurityServices are those that virtualisation protects and that run
	// (Win32_DeviceGuard, SecurityServicesRunning).
	SecurityServices(ctx context.Context) ([]uint32, error)
	// Administrators are the members of the group with the SID S-1-5-32-544,
	// whatever it is called in this language.
	Administrators() ([]string, error)
	// ServiceRuns reports whether a service runs, or starts when it is needed.
	ServiceRuns(name string) (bool, error)
}

// UpdateState is what Windows Update's agent knows.
type UpdateState struct {
	Waiting  int // software updates that are neither installed nor hidden
	Searched time.Time
	Restart  bool // an update waits for a restart
	// Level is how updates are installed (AutomaticUpdatesNotificationLevel).
	Level int
}

// VolumeState is what BitLocker says of a volume: GetProtectionStatus and
// GetConversionStatus of Win32_EncryptableVolume. The property ProtectionStatus
// is not asked: it grows stale.
type VolumeState struct {
	Letter                 string
	Protection, Conversion uint32
}

// FirewallProfile is one profile of Windows' firewall with its effective values.
type FirewallProfile struct {
	Name          string
	Enabled       bool
	BlocksInbound bool
}

// DefenderState is MSFT_MpComputerStatus.
type DefenderState struct {
	Enabled, RealTime bool
	SignatureAgeDays  uint32
}
