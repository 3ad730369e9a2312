//go:build linux

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Rehearsal is one plugin that runs for a replay of the past. It is no part of
// a PDP: the program runs as whoever calls, with an empty environment and
// without a sandbox. Close ends it.
type Rehearsal struct {
	config Config
	client *plugin.Client
	rpc    contract.Client
	says   description
}

// OpenRehearsal starts the program with those settings, JSON or nothing.
func OpenRehearsal(ctx context.Context, program string, settings json.RawMessage) (*Rehearsal, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	command := exec.Command(program) // #nosec G204 -- the administrator names the program to be tried
	if len(settings) > 0 {
		command.Env = []string{contract.SettingsVariable + "=" + string(settings)}
	}
	r := &Rehearsal{client: plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: contract.Handshake(), VersionedPlugins: contract.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Cmd: command, SkipHostEnv: true,
		StartTimeout: defaultStartTimeout, Logger: hclog.NewNullLogger(),
	})}
	if err := r.open(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return r, nil
}

func (r *Rehearsal) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, defaultStartTimeout)
	defer cancel()
	var err error
	if r.rpc, err = connect(r.client); err != nil {
		return err
	}
	d, err := r.rpc.Describe(ctx)
	if err != nil {
		return err
	}
	r.config.Name, r.config.Network = d.Name, d.Network
	for name, number := range clusterNumbers() {
		if number == d.Cluster {
			r.config.Cluster = name
		}
	}
	if !nameShape.MatchString(d.Name) {
		return errNotWhatItSays
	}
	r.says, err = accepted(&r.config, d)
	return err
}

// Name is what the plugin calls itself.
func (r *Rehearsal) Name() string { return r.config.Name }

// Cluster is the plugin's cluster.
func (r *Rehearsal) Cluster() wire.Cluster { return r.config.Cluster }

// Kinds are what the plugin is taught of.
func (r *Rehearsal) Kinds() []wire.ObservationKind {
	var kinds []wire.ObservationKind
	for _, k := range []wire.ObservationKind{wire.ObservedSignIn, wire.ObservedFailure, wire.ObservedActivity} {
		if r.says.kinds[kindNumber(k)] {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Activity reports whether the plugin looks at what sessions do.
func (r *Rehearsal) Activity() bool {
	wants := r.says.features
	return wants[contract.FeatureRequests] || wants[contract.FeaturePortal] || wants[contract.FeatureGrade]
}

// Rehearse judges and then teaches what next returns until it says false, and
// gives each verdict to heard, in order. A verdict out of bounds is marked
// missing, as in a PDP.
func (r *Rehearsal) Rehearse(ctx context.Context, next func() (wire.Observation, bool), heard func(wire.Verdict) error) error {
	return r.rpc.Rehearse(ctx, func() (contract.Observation, bool) {
		o, more := next()
		if !more {
			return contract.Observation{}, false
		}
		return only(r.says.features, o), true
	}, func(v contract.Verdict) error {
		now := time.Unix(0, 0).UTC() // the past has no clock
		said, err := checked(&r.config, &r.says, v, now)
		if errors.Is(err, errOutOfBounds) {
			return heard(missing(&r.config, reason.PluginNonsense, now))
		}
		if err != nil {
			return err
		}
		return heard(said)
	})
}

// Close ends the program.
func (r *Rehearsal) Close() { r.client.Kill() }
