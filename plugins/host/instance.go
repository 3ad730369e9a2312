//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Deadlines of calls outside Assess.
const (
	describeDeadline = 2 * time.Second
	healthDeadline   = time.Second
	observeDeadline  = 2 * time.Second
	replayDeadline   = 60 * time.Second
	endDeadline      = 5 * time.Second
)

// maxSocketPath is sun_path's size less the end and go-plugin's own names.
const maxSocketPath = 108 - 1 - len("/plugin-dir1234567890/plugin1234567890")

// instance is one life of a plugin.
type instance struct {
	config *Config
	client *plugin.Client
	rpc    contract.Client
	says   description

	asked  sync.WaitGroup // calls under way
	failed chan struct{}  // closed when calls found the instance unusable
	bad    int            // unusable answers in a row; the supervisor's mu guards it

	mu      sync.Mutex
	process *process // set while the client starts
}

func (i *instance) running() *process {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.process
}

func (i *instance) kill() {
	if p := i.running(); p != nil {
		p.kill()
	}
}

// startInstance launches the plugin and makes sure that it is what the
// configuration says. It never blocks longer than the start's timeout and a
// kill; go-plugin's own Start and Client have waits without an end.
func (h *Host) startInstance(ctx context.Context, c *Config) (*instance, error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.StartTimeout)
	defer cancel()
	i := &instance{config: c, failed: make(chan struct{})}
	i.client = plugin.NewClient(h.clientConfig(i))
	type dispensed struct {
		rpc contract.Client
		err error
	}
	done := make(chan dispensed, 1)
	go func() {
		rpc, err := connect(i.client)
		done <- dispensed{rpc, err}
	}()
	var d dispensed
	select {
	case d = <-done:
	case <-ctx.Done():
		i.kill()
		d = dispensed{err: fmt.Errorf("plugin: start: %w", ctx.Err())}
	}
	if d.err == nil {
		i.rpc = d.rpc
		d.err = i.describe(ctx)
	}
	if d.err != nil {
		i.end()
		return nil, d.err
	}
	return i, nil
}

func connect(client *plugin.Client) (contract.Client, error) {
	protocol, err := client.Client() // starts the process
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(contract.Service)
	if err != nil {
		return nil, err
	}
	rpc, ok := raw.(contract.Client)
	if !ok {
		return nil, errors.New("plugin: another contract")
	}
	return rpc, nil
}

func (h *Host) clientConfig(i *instance) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  contract.Handshake(),
		VersionedPlugins: contract.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     h.options.StartTimeout,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: h.runtimeDir},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(contract.MaxMessageBytes)),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return i.dial(ctx) }),
			grpc.WithStreamInterceptor(withoutBroker),
		},
		RunnerFunc: func(_ hclog.Logger, command *exec.Cmd, socketDir string) (runner.Runner, error) {
			p, err := h.newProcess(i.config, command.Env, socketDir)
			if err != nil {
				return nil, err
			}
			i.mu.Lock()
			i.process = p
			i.mu.Unlock()
			return p, nil
		},
	}
}

func (h *Host) newProcess(c *Config, env []string, socketDir string) (*process, error) {
	if h.options.RootLauncher != "" {
		return newProcess(c.Name, h.options.Logger, func(theirs pipes) (child, string, error) {
			return askLauncher(h.options.RootLauncher, h.options.launcherUID, c, theirs)
		}), nil
	}
	if os.Geteuid() == 0 {
		// The folder is 0700: now the plugin's alone, and root's.
		if err := os.Chown(socketDir, c.UID, c.GID); err != nil {
			return nil, err
		}
	}
	spec := c.launchSpec(h.owners, socketDir)
	return newProcess(c.Name, h.options.Logger, func(theirs pipes) (child, string, error) {
		one, err := fork(h.launcher, spec, c.environment(env), theirs)
		return one, socketDir, err
	}), nil
}

// launchSpec is what the configuration has its launcher do.
func (c *Config) launchSpec(owners []int, socketDir string) launchSpec {
	return launchSpec{
		Path: c.Path, SHA256: c.SHA256, Owners: owners, SocketDir: socketDir,
		UID: c.UID, GID: c.GID, Memory: c.MemoryBytes, ReadPaths: c.ReadPaths, Network: c.Network,
		Interpreter: c.Interpreter,
	}
}

// environment adds the plugin's settings to the handshake.
func (c *Config) environment(handshake []string) []string {
	if c.Settings == "" {
		return handshake
	}
	return append(handshake, contract.SettingsVariable+"="+c.Settings)
}

func (i *instance) dial(ctx context.Context) (net.Conn, error) {
	p := i.running()
	if p == nil {
		return nil, errors.New("plugin: not started")
	}
	return p.dial(ctx)
}

func (i *instance) describe(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, describeDeadline)
	defer cancel()
	d, err := i.rpc.Describe(call)
	if err != nil {
		return fmt.Errorf("plugin: describe: %w", err)
	}
	if i.says, err = accepted(i.config, d); err != nil {
		return err
	}
	return i.healthy(ctx)
}

func (i *instance) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	ready, err := i.rpc.Ready(ctx)
	if err == nil && !ready {
		err = errors.New("plugin: not ready")
	}
	return err
}

func (i *instance) observe(ctx context.Context, batch []wire.Observation) error {
	for len(batch) > 0 {
		n := min(len(batch), contract.MaxBatch)
		part := make([]contract.Observation, 0, n)
		for _, o := range batch[:n] {
			if i.says.kinds[kindNumber(o.Kind)] {
				part = append(part, only(i.says.features, o))
			}
		}
		batch = batch[n:]
		if len(part) == 0 {
			continue
		}
		if err := i.teach(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (i *instance) teach(ctx context.Context, part []contract.Observation) error {
	ctx, cancel := context.WithTimeout(ctx, observeDeadline)
	defer cancel()
	_, err := i.rpc.Observe(ctx, part)
	return err
}

// end kills the plugin and lets go-plugin clean up. The process group dies
// first: go-plugin's Kill asks the plugin politely, and has no deadline.
func (i *instance) end() {
	i.kill()
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.client.Kill()
	}()
	select {
	case <-done:
	case <-time.After(endDeadline):
	}
}
