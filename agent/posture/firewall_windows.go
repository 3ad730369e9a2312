package posture

import "context"

// profileBits are NET_FW_PROFILE_TYPE2.
var profileBits = [...]struct {
	name string
	bit  int32
}{{"domain", 1}, {"private", 2}, {"public", 4}}

// actionBlock is NET_FW_ACTION_BLOCK.
const actionBlock = 0

// FirewallProfiles implements Windows by the firewall's own policy object, whose
// values are the effective ones.
func (thisWindows) FirewallProfiles(ctx context.Context) ([]FirewallProfile, error) {
	var all []FirewallProfile
	err := withCOM(ctx, func() error {
		policy := create("HNetCfg.FwPolicy2")
		defer policy.release()
		active := int32(policy.number("CurrentProfileTypes")) // #nosec G115 -- three bits
		for _, p := range profileBits {
			if active&p.bit == 0 {
				continue
			}
			all = append(all, FirewallProfile{
				Name: p.name, Enabled: policy.truth("FirewallEnabled", p.bit), BlocksInbound: policy.number("DefaultInboundAction", p.bit) == actionBlock,
			})
		}
		return policy.err
	})
	return all, err
}
