package posture

import (
	"cmp"
	"time"
)

// Settings are what the administrator of this machine set for measuring.
type Settings struct {
	// LockWithin is the longest time after which an idle screen must be
	// locked.
	LockWithin time.Duration
	// Administrators are the accounts that may have administrators' rights.
	Administrators []string
	Antivirus      Antivirus
}

func (s Settings) lockWithin() time.Duration { return cmp.Or(s.LockWithin, DefaultLockWithin) }

// Antivirus says which antivirus or EDR must run. The zero value is ClamAV.
type Antivirus struct {
	// Unit is a systemd unit, such as "falcon-sensor.service".
	Unit string
	// Process is the name of a process that root or a system account runs,
	// where there is no unit.
	Process string
	// Signatures is a file whose time of change is that of the signatures.
	Signatures string
	// MaxAge is how old signatures may be.
	MaxAge time.Duration
}

func (a Antivirus) maxAge() time.Duration { return cmp.Or(a.MaxAge, DefaultSignatureAge) }

// Defaults of Settings.
const (
	DefaultLockWithin   = 15 * time.Minute
	DefaultSignatureAge = 7 * 24 * time.Hour
)

// ScreenLock is what a person's desktop session says of its screen lock.
type ScreenLock struct {
	UID uint32
	// Desktop names the desktop that was asked.
	Desktop string
	// Enabled says that the screen locks by itself, After is when.
	Enabled bool
	After   time.Duration
	// Problem says why it is not known.
	Problem string
	// At is when the report came.
	At time.Time
}
