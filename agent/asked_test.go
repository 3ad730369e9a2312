package agent

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/menshen-zt/menshen/agent/remedy"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// told is a PDP that takes reports, or fails first.
type told struct {
	mu      sync.Mutex
	fails   []error
	reports []wire.RemedyReport
}

func (p *told) ReportRemedy(_ context.Context, in wire.RemedyReport) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, in)
	if len(p.fails) == 0 {
		return nil
	}
	err := p.fails[0]
	p.fails = p.fails[1:]
	return err
}

// lonely is an agent beside which no process repairs things.
func lonely(t *testing.T) *Agent {
	t.Helper()
	a := newAgent(t)
	a.remedies = remedy.NewClient(filepath.Join(t.TempDir(), "remedy.sock"))
	return a
}

func (a *Agent) obeyAll(t *testing.T, pdp reporter, commands ...wire.Command) {
	t.Helper()
	var all sync.WaitGroup
	for _, c := range commands {
		a.obey(t.Context(), &all, pdp, c)
		all.Wait()
	}
}

func TestWhatIsNotAllowedHereIsAnsweredWithItsReason(t *testing.T) {
	for name, c := range map[string]struct {
		claim wire.ClaimID
		code  string
	}{
		"remedies are off":   {wire.ClaimFirewall, reason.RemedyOff},
		"no remedy for that": {wire.ClaimDiskEncryption, reason.RemedyUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			a, pdp := lonely(t), &told{}
			a.obeyAll(t, pdp, wire.Command{ID: "cmd-1", Kind: wire.CommandRemedy, Claim: c.claim})
			if len(pdp.reports) != 1 || pdp.reports[0].Command != "cmd-1" || pdp.reports[0].Claim != c.claim || pdp.reports[0].Done ||
				pdp.reports[0].Reason == nil || pdp.reports[0].Reason.Code != c.code {
				t.Errorf("%+v", pdp.reports)
			}
			if !waiting(a) {
				t.Error("it does not measure afterwards")
			}
		})
	}
}

func TestARepeatedCommandIsToldOfAgainAndNotCarriedOutAgain(t *testing.T) {
	a, pdp := lonely(t), &told{}
	first := wire.RemedyReport{Command: "cmd-1", Claim: wire.ClaimFirewall, Done: true}
	a.asked.last = first // nothing here could repair anything now
	again := wire.Command{ID: "cmd-1", Kind: wire.CommandRemedy, Claim: wire.ClaimFirewall}
	a.obeyAll(t, pdp, again)
	if len(pdp.reports) != 1 || pdp.reports[0] != first {
		t.Errorf("%+v", pdp.reports)
	}
	again.ID = "cmd-2"
	a.obeyAll(t, pdp, again)
	if len(pdp.reports) != 2 || pdp.reports[1].Done {
		t.Errorf("another command: %+v", pdp.reports)
	}
}

func TestAReportIsRepeatedUntilThePDPHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, pdp := lonely(t), &told{fails: []error{errors.New("the TPM is busy"), errors.New("the TPM is busy")}}
		a.asked.last = wire.RemedyReport{Command: "cmd-1", Done: true}
		a.obeyAll(t, pdp, wire.Command{ID: "cmd-1", Kind: wire.CommandRemedy})
		if len(pdp.reports) != 3 || pdp.reports[2] != a.asked.last {
			t.Errorf("%+v", pdp.reports)
		}
	})
}

func TestTheRemediesAtOnceAreBounded(t *testing.T) {
	a, pdp := lonely(t), &told{}
	a.asked.waiting.Store(mostAsked)
	a.obeyAll(t, pdp, wire.Command{ID: "cmd-1", Kind: wire.CommandRemedy, Claim: wire.ClaimFirewall})
	if len(pdp.reports) != 0 || a.asked.waiting.Load() != mostAsked {
		t.Errorf("%+v, %d wait", pdp.reports, a.asked.waiting.Load())
	}
}

func TestAnUnknownCommandDoesNothing(t *testing.T) {
	a, pdp := lonely(t), &told{}
	a.obeyAll(t, pdp, wire.Command{ID: "cmd-1", Kind: "format"})
	if len(pdp.reports) != 0 || waiting(a) {
		t.Errorf("%+v", pdp.reports)
	}
	a.obeyAll(t, pdp, wire.Command{ID: "cmd-2", Kind: wire.CommandMeasure})
	if !waiting(a) {
		t.Error("asked to measure, it does not")
	}
}

func TestAReasonIsCutToWhatThePDPTakes(t *testing.T) {
	if bounded(nil) != nil {
		t.Error("a reason out of nothing")
	}
	long := reason.New(reason.RemedyFailed, "problem", strings.Repeat("門", wire.MaxRemedyProblem), "claim", "a\xff")
	got := bounded(&long)
	if n := len(got.Args["problem"]); n > wire.MaxRemedyProblem || n < wire.MaxRemedyProblem-3 || strings.Trim(got.Args["problem"], "門") != "" || got.Args["claim"] != "a?" || got.Code != long.Code {
		t.Errorf("%d bytes, %+v", n, got)
	}
}

// TestThePDPKnowsTheSameRemedies as the process that applies them.
func TestThePDPKnowsTheSameRemedies(t *testing.T) {
	names := remedy.Names()
	if len(names) != len(wire.Remedies()) {
		t.Errorf("%v and %v", names, wire.Remedies())
	}
	for _, name := range names {
		if !wire.ClaimID(name).Remediable() {
			t.Errorf("the PDP does not know %s", name)
		}
	}
}
