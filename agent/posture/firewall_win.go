//go:build !darwin

package posture

import (
	"context"
	"strings"
)

// firewallWin passes when every profile that is in force is on and refuses
// inbound connections that no rule permits.
func firewallWin(ctx context.Context, m Machine) outcome {
	profiles, err := m.Windows.FirewallProfiles(ctx)
	if err != nil {
		return cannot("the firewall does not answer: %v", err)
	}
	if len(profiles) == 0 {
		return cannot("the firewall names no profile that is in force")
	}
	value := map[string]string{}
	var open []string
	for _, p := range profiles {
		switch {
		case !p.Enabled:
			value[p.Name] = "off"
		case !p.BlocksInbound:
			value[p.Name] = "lets everything in"
		default:
			value[p.Name] = "on"
			continue
		}
		open = append(open, p.Name+" "+value[p.Name])
	}
	if len(open) > 0 {
		return fails(value, "%s", strings.Join(open, ", "))
	}
	return passes(value)
}
