package agent

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/agent/posture"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What cannot be watched is polled.
const (
	pollEvery = 2 * time.Second
	// slept is how much later than due a tick means that the machine slept.
	slept = 10 * time.Second
	// helperPause is between two attempts to watch by the helper.
	helperPause = 2 * time.Second
)

// watchFirewall has the helper tell of changes to the packet filter.
func (a *Agent) watchFirewall(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.helper.Watch(ctx, func() {
			a.setWatching(true)
			a.problem(partHelper, nil, "")
			a.compare(a.posture.Only(wire.ClaimFirewall).Measure(ctx), "the firewall changed")
		})
		if ctx.Err() != nil {
			return
		}
		if a.setWatching(false) {
			a.logger.Warn("the helper is gone", "error", err)
		}
		a.problem(partHelper, err, reason.HelperNotAnswering)
		pause(ctx, helperPause)
	}
}

// setWatching returns whether the watch stood before.
func (a *Agent) setWatching(now bool) (before bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, a.view.watching = a.view.watching, now
	return before
}

// watchMachine polls the other claims, and notices sleep and a changed network.
func (a *Agent) watchMachine(ctx context.Context) {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	network, last := networkNow(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := time.Now()
		// The monotonic clock stands still while the machine sleeps.
		asleep := now.Round(0).Sub(last.Round(0)) - now.Sub(last)
		last = now
		changed := networkNow()
		switch {
		case asleep > slept:
			a.reconnect("the machine woke up")
		case !slices.Equal(changed, network):
			a.reconnect("the network changed")
		default:
			a.poll(ctx)
		}
		network = changed
	}
}

// poll measures what nothing tells of, and all of it while the helper's watch
// does not stand.
func (a *Agent) poll(ctx context.Context) {
	a.mu.Lock()
	watching := a.view.watching
	a.mu.Unlock()
	which := a.posture
	if watching {
		which = a.watched
	}
	a.compare(which.Measure(ctx), "a claim changed")
}

func (a *Agent) reconnect(why string) {
	if c, err := a.current(); err == nil {
		c.Reconnect()
	}
	a.trigger(why)
}

// remember keeps the claims that were measured for Evidence.
func (a *Agent) remember(claims wire.Claims) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.view.claims = claims
}

// compare attests at once when fresh claims differ from those of the last
// Evidence.
func (a *Agent) compare(fresh wire.Claims, why string) {
	a.mu.Lock()
	known := a.view.claims
	offline := a.view.problems[partAttestation].Code == reason.PDPUnreachable
	a.mu.Unlock()
	if len(known.Claims) == 0 || offline {
		return // the first Evidence is under way, or is tried again by itself
	}
	var same wire.Claims
	for _, c := range fresh.Claims {
		at := slices.IndexFunc(known.Claims, func(k wire.Claim) bool { return k.ID == c.ID })
		if at >= 0 {
			same.Claims = append(same.Claims, known.Claims[at])
		}
	}
	if !posture.Same(fresh, same) {
		a.trigger(why)
	}
}

// networkNow is what the network looks like: the machine's own addresses.
func networkNow() []string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []string
	for _, address := range addresses {
		// A link-local address comes and goes with its interface alone.
		if text := address.String(); !strings.HasPrefix(text, "fe80:") {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}
