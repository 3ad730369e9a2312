//go:build !windows

package posture

import (
	"context"
	"regexp"
)

// firewallState is the number in the answer; the words around it may change.
var firewallState = regexp.MustCompile(`\(State = ([0-9])\)`)

// firewallMac asks macOS's own firewall, of applications. State 1 lets in what
// programs of this machine ask for and were permitted, 2 nothing but what macOS
// itself needs.
func firewallMac(ctx context.Context, m Machine) outcome {
	answer, err := says(ctx, m, "/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate")
	if err != nil {
		return cannot("the firewall does not answer: %v", err)
	}
	found := firewallState.FindStringSubmatch(answer)
	if found == nil {
		return cannot("the firewall's answer is not understood")
	}
	value := map[string]string{"state": found[1]}
	switch found[1] {
	case "1", "2":
		return passes(value)
	case "0":
		return fails(value, "the firewall is off")
	}
	return cannot("the firewall is in state %s", found[1])
}
