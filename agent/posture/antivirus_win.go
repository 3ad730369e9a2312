//go:build !darwin

package posture

import (
	"context"
	"strconv"
	"time"
)

// Windows Security Center's judgements (WSC_SECURITY_PROVIDER_HEALTH).
const (
	healthGood = iota
	healthNotMonitored
	healthPoor
	healthSnooze
)

// antivirusWin takes Security Center's word, which covers whether an antivirus
// is there, on, and up to date, whoever made it. Where there is no Security
// Center, as on a server, Defender itself is asked.
func antivirusWin(ctx context.Context, m Machine) outcome {
	health, err := m.Windows.SecurityHealth()
	if err != nil {
		return defender(ctx, m)
	}
	value := map[string]string{"security_center": strconv.FormatUint(uint64(health), 10)}
	switch health {
	case healthGood:
		return passes(value)
	case healthNotMonitored:
		return cannot("Security Center does not watch the antivirus")
	case healthPoor, healthSnooze:
		return fails(value, "the antivirus is off or out of date")
	}
	return cannot("Security Center gives the odd judgement %d", health)
}

func defender(ctx context.Context, m Machine) outcome {
	d, err := m.Windows.Defender(ctx)
	if err != nil {
		return cannot("neither Security Center nor Defender answers: %v", err)
	}
	if !d.Enabled || !d.RealTime {
		return fails(map[string]string{"defender": "off"}, "Defender is off")
	}
	now := m.Clock()
	return judgeSignatures(now.Add(-time.Duration(d.SignatureAgeDays)*24*time.Hour), now, m.Settings.Antivirus.maxAge())
}
