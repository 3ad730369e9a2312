package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Place is one network namespace of the lab.
type Place string

// Addresses of the lab. The laptop and the café lie in different /24 networks,
// which is what the product calls a network.
const (
	LaptopIP = "10.77.1.2"
	CafeIP   = "10.77.2.2"
	PDPIP    = "10.77.3.1"
	PortalIP = "10.77.3.2"
)

// Network is the lab's three places and the links between them.
type Network struct{ Laptop, Gate, Cafe Place }

// NewNetwork makes the namespaces; tag keeps several labs apart.
func NewNetwork(tag string) (*Network, error) {
	n := &Network{Laptop: Place("menshen-lap-" + tag), Gate: Place("menshen-gate-" + tag), Cafe: Place("menshen-cafe-" + tag)}
	var script []string
	for _, p := range []Place{n.Laptop, n.Gate, n.Cafe} {
		script = append(script, fmt.Sprintf("netns add %s", p), fmt.Sprintf("-n %s link set lo up", p))
	}
	script = append(script, n.link(n.Laptop, "lap", "10.77.1.1", LaptopIP)...)
	script = append(script, n.link(n.Cafe, "cafe", "10.77.2.1", CafeIP)...)
	script = append(script,
		fmt.Sprintf("-n %s addr add %s/32 dev lo", n.Gate, PDPIP),
		fmt.Sprintf("-n %s addr add %s/32 dev lo", n.Gate, PortalIP))
	for _, line := range script {
		if err := ip(line); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

func (n *Network) link(p Place, name, gate, own string) []string {
	return []string{
		fmt.Sprintf("-n %s link add %s type veth peer name uplink netns %s", n.Gate, name, p),
		fmt.Sprintf("-n %s addr add %s/24 dev %s", n.Gate, gate, name),
		fmt.Sprintf("-n %s link set %s up", n.Gate, name),
		fmt.Sprintf("-n %s addr add %s/24 dev uplink", p, own),
		fmt.Sprintf("-n %s link set uplink up", p),
		fmt.Sprintf("-n %s route add default via %s", p, gate),
	}
}

// Close removes the namespaces with all that is in them.
func (n *Network) Close() error {
	var all error
	for _, p := range []Place{n.Laptop, n.Gate, n.Cafe} {
		if _, err := os.Stat("/run/netns/" + string(p)); err == nil {
			all = errors.Join(all, ip("netns del "+string(p)))
		}
	}
	return all
}

func ip(line string) error {
	out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput() // #nosec G204 -- words of this file
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}
