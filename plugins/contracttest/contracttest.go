// Package contracttest is the suite that every inference plugin must pass. It
// starts the built program as a host does, without a sandbox, and asks what no
// plugin may get wrong: that its answers stay inside their bounds and have
// their texts, whatever it is asked; that it judges without learning and learns
// from what it asked for alone; that nobody's failures and nobody else's
// history speak for a person; that its state can be handed over, forgotten and
// outlived; that it keeps to a deadline and stands many callers at once.
//
//	func TestContract(t *testing.T) { contracttest.Run(t, "/path/to/the/program") }
//
// The program sees the features that it asks for in Describe, as with a host.
package contracttest

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// deadline is generous: machines that test are slow.
const deadline = 10 * time.Second

// program is the plugin under test.
type program struct {
	path string
	env  []string
	says contract.Description
}

// Run puts the program through the suite.
func Run(t *testing.T, path string) {
	t.Helper()
	RunWith(t, path, nil)
}

// RunWith puts the program through the suite with settings, which become JSON.
func RunWith(t *testing.T, path string, settings any) {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{path: path}
	if settings != nil {
		raw, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		p.env = []string{contract.SettingsVariable + "=" + string(raw)}
	}
	if p.says, err = p.launch(t).Describe(within(t)); err != nil {
		t.Fatalf("describe: %v", err)
	}
	for name, test := range map[string]func(*testing.T, *program, contract.Client){
		"description":                    description,
		"no history":                     noHistory,
		"bounds":                         bounds,
		"assessing is not learning":      assessingIsNotLearning,
		"what was not asked for":         unaskedKinds,
		"failures speak for nobody":      failuresSpeakForNobody,
		"people are apart":               peopleAreApart,
		"same history, same verdict":     deterministic,
		"rehearsal":                      rehearsal,
		"an officer's word":              officersWord,
		"state is handed over":           handedOver,
		"a state that cannot be read":    garbage,
		"who is forgotten is a stranger": forgotten,
		"retention":                      retention,
		"malformed":                      malformed,
		"cancelled":                      cancelled,
		"many callers":                   manyCallers,
	} {
		t.Run(name, func(t *testing.T) { test(t, p, p.launch(t)) })
	}
}

// Judged returns a program's verdicts on a fixed history, each before it is
// learned, for a comparison of two programs that should say the same.
func Judged(t *testing.T, path string) []contract.Verdict {
	t.Helper()
	p := &program{path: path}
	c := p.launch(t)
	var err error
	if p.says, err = c.Describe(within(t)); err != nil {
		t.Fatalf("describe: %v", err)
	}
	var verdicts []contract.Verdict
	for _, o := range p.everything("p", "q") {
		verdicts = append(verdicts, p.assess(t, c, o))
		p.teach(t, c, o)
	}
	return append(verdicts, p.judged(t, c, situations(enough+1, "p", "q"))...)
}

func (p *program) launch(t *testing.T) contract.Client {
	t.Helper()
	command := exec.Command(p.path) // #nosec G204 -- the program under test
	command.Env = p.env
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: contract.Handshake(), VersionedPlugins: contract.HostPlugins(), Cmd: command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, SkipHostEnv: true,
		StartTimeout: 3 * deadline, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	raw, err := protocol.Dispense(contract.Service)
	if err != nil {
		t.Fatalf("dispense: %v", err)
	}
	return raw.(contract.Client)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func (p *program) asks(k contract.Kind) bool { return slices.Contains(p.says.Kinds, k) }

func (p *program) teach(t *testing.T, c contract.Client, all ...contract.Observation) int {
	t.Helper()
	seen := make([]contract.Observation, len(all))
	for i, o := range all {
		seen[i] = p.only(o)
	}
	learned, err := c.Observe(within(t), seen)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return learned
}

func (p *program) assess(t *testing.T, c contract.Client, o contract.Observation) contract.Verdict {
	t.Helper()
	v, err := c.Assess(within(t), p.only(o))
	if err != nil {
		t.Fatalf("assess: %v", err)
	}
	p.check(t, v)
	return v
}
