package appraisal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// passing is a healthy device with its firewall on.
func passing(in Input) wire.Appraised {
	out := healthy(in)
	out.Claims = []wire.Claim{{ID: wire.ClaimTimeSync, State: wire.ClaimFail}, {ID: wire.ClaimFirewall, State: wire.ClaimPass}}
	return out
}

// repairing asks for the firewall, and has the agent take the command.
func (f *fixture) repairing(t *testing.T) wire.Repair {
	t.Helper()
	r, err := f.Repair(laptop, wire.ClaimFirewall, "uid:7")
	if err != nil {
		t.Fatal(err)
	}
	f.poll(time.Second)
	return r
}

func (f *fixture) stage(t *testing.T, r wire.Repair, want wire.RepairStage) wire.Repair {
	t.Helper()
	got, err := f.RepairOf(laptop.ID, r.ID)
	if err != nil || got.Stage != want {
		t.Errorf("%+v, %v; want %s", got, err, want)
	}
	return got
}

func done(r wire.Repair) wire.RemedyReport {
	return wire.RemedyReport{Command: r.ID, Claim: r.Claim, Done: true}
}

func TestARemedyIsAskedForAppliedAndMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.next = passing
		r, err := f.Repair(laptop, wire.ClaimFirewall, "uid:7")
		if err != nil {
			t.Fatal(err)
		}
		f.stage(t, r, wire.RepairSent)
		got := f.poll(time.Second)
		if len(got) != 1 || got[0] != (wire.Command{ID: r.ID, Kind: wire.CommandRemedy, Claim: wire.ClaimFirewall}) {
			t.Fatalf("commands %+v", got)
		}
		f.stage(t, r, wire.RepairTaken)
		f.attest(t) // on its own account, before the report: it proves nothing
		time.Sleep(time.Second)
		before := f.audit.count()
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		if told := f.stage(t, r, wire.RepairMeasuring); !told.Done || told.Measured {
			t.Errorf("%+v", told)
		}
		last := f.audit.records[before]
		if f.audit.count() != before+1 || last.Kind != wire.AuditRemedy || last.Device != laptop.ID || last.Agency != "moda" ||
			!strings.Contains(string(last.Detail), `"by":"uid:7"`) || !strings.Contains(string(last.Detail), `"claim":"firewall"`) || !strings.Contains(string(last.Detail), `"done":true`) {
			t.Errorf("recorded %s", last.Detail)
		}
		// The answer was lost: the same again is taken, and recorded once.
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil || f.audit.count() != before+1 {
			t.Errorf("%v, %d records", err, f.audit.count())
		}
		if asked := f.poll(time.Second); len(asked) != 1 || asked[0].Kind != wire.CommandMeasure {
			t.Errorf("after it: %+v", asked)
		}
		f.attest(t)
		if told := f.stage(t, r, wire.RepairEnded); !told.Done || !told.Measured || told.State != wire.ClaimPass {
			t.Errorf("%+v", told)
		}
	})
}

func TestALostRemedyComesAgainUntilItIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		waiting := make(chan []wire.Command)
		go func() { waiting <- f.poll(wire.PollLife) }()
		synctest.Wait()
		begin := time.Now()
		r, err := f.Repair(laptop, wire.ClaimFirewall, "uid:0")
		if err != nil {
			t.Fatal(err)
		}
		if first := <-waiting; len(first) != 1 || time.Since(begin) != 0 {
			t.Errorf("the poll that stands brought %+v after %v", first, time.Since(begin))
		}
		if again := f.poll(wire.PollLife); len(again) != 1 || again[0].ID != r.ID || time.Since(begin) != redeliverAfter {
			t.Errorf("sent again %+v after %v", again, time.Since(begin))
		}
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		f.attest(t)
		if left := f.poll(wire.PollLife); left != nil {
			t.Errorf("asked again after its end: %+v", left)
		}
	})
}

func TestADeviceHasOneRepairAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		r := f.repairing(t)
		if again, err := f.Repair(laptop, wire.ClaimFirewall, "uid:8"); err != nil || again.ID != r.ID {
			t.Errorf("not joined: %+v, %v", again, err)
		}
		_, err := f.Repair(laptop, wire.ClaimTimeSync, "uid:8")
		refusedWith(t, err, reason.CfgRemedyBusy)
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		if next, err := f.Repair(laptop, wire.ClaimTimeSync, "uid:8"); err != nil || next.ID == r.ID {
			t.Errorf("after its end: %+v, %v", next, err)
		}
		if _, err := f.RepairOf(laptop.ID, r.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("two are remembered: %v", err)
		}
	})
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		for _, claim := range []wire.ClaimID{wire.ClaimDiskEncryption, "", "rm -rf"} {
			_, err := f.Repair(laptop, claim, "uid:0")
			refusedWith(t, err, reason.CfgNoRemedy)
		}
		for _, status := range []wire.DeviceStatus{wire.DevicePending, wire.DeviceRetired, ""} {
			dev := laptop
			dev.Status = status
			_, err := f.Repair(dev, wire.ClaimFirewall, "uid:0")
			refusedWith(t, err, reason.CfgRemedyState)
		}
		held := laptop
		held.Status = wire.DeviceQuarantined
		if _, err := f.Repair(held, wire.ClaimFirewall, "uid:0"); err != nil {
			t.Errorf("in quarantine: %v", err)
		}
	})
}

func TestAReportThatIsNotOfThisCommandIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		refusedWith(t, f.Remedied(t.Context(), laptop, wire.RemedyReport{Claim: wire.ClaimFirewall, Done: true}), reason.RemedyNotAsked)
		r, err := f.Repair(laptop, wire.ClaimFirewall, "uid:0")
		if err != nil {
			t.Fatal(err)
		}
		refusedWith(t, f.Remedied(t.Context(), laptop, done(r)), reason.RemedyNotAsked) // nobody was asked yet
		f.poll(time.Second)
		refusedWith(t, f.Remedied(t.Context(), other, done(r)), reason.RemedyNotAsked)
		for name, c := range map[string]struct {
			change func(*wire.RemedyReport)
			code   string
		}{
			"another command":        {func(in *wire.RemedyReport) { in.Command = "cmd-00000000000000000000000004" }, reason.RemedyNotAsked},
			"another claim":          {func(in *wire.RemedyReport) { in.Claim = wire.ClaimTimeSync }, reason.RemedyNotAsked},
			"done, with a reason":    {func(in *wire.RemedyReport) { why := reason.New(reason.RemedyOff); in.Reason = &why }, reason.RemedyReportBad},
			"not done, with none":    {func(in *wire.RemedyReport) { in.Done = false }, reason.RemedyReportBad},
			"a code of another part": {func(in *wire.RemedyReport) { in.Done = false; why := reason.New(reason.AuditClosed); in.Reason = &why }, reason.RemedyReportBad},
			"the PDP's own code": {func(in *wire.RemedyReport) {
				in.Done = false
				why := reason.New(reason.RemedyNoAnswer)
				in.Reason = &why
			}, reason.RemedyReportBad},
			"another argument": {func(in *wire.RemedyReport) {
				in.Done = false
				why := reason.New(reason.RemedyFailed, "title", "x")
				in.Reason = &why
			}, reason.RemedyReportBad},
			"an argument that floods": {func(in *wire.RemedyReport) {
				in.Done = false
				why := reason.New(reason.RemedyFailed, "problem", strings.Repeat("x", wire.MaxRemedyProblem+1))
				in.Reason = &why
			}, reason.RemedyReportBad},
		} {
			t.Log(name)
			in := done(r)
			c.change(&in)
			refusedWith(t, f.Remedied(t.Context(), laptop, in), c.code)
		}
		f.stage(t, r, wire.RepairTaken)
		if n := f.audit.count(); n != 0 {
			t.Errorf("%d records of reports that do not count", n)
		}
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		why := reason.New(reason.RemedyOff)
		refusedWith(t, f.Remedied(t.Context(), laptop, wire.RemedyReport{Command: r.ID, Claim: r.Claim, Reason: &why}), reason.RemedyNotAsked)
		if told := f.stage(t, r, wire.RepairMeasuring); !told.Done {
			t.Errorf("a second word changed the first: %+v", told)
		}
	})
}

func TestAnAgentThatDoesNotAllowItSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		r := f.repairing(t)
		why := reason.New(reason.RemedyFailed, "claim", "disk-encryption", "problem", "busy\x1b[2J\nagain")
		if err := f.Remedied(t.Context(), laptop, wire.RemedyReport{Command: r.ID, Claim: r.Claim, Reason: &why}); err != nil {
			t.Fatal(err)
		}
		told := f.stage(t, r, wire.RepairEnded)
		if told.Done || told.Reason == nil || told.Reason.Code != reason.RemedyFailed || told.Reason.Args["claim"] != "firewall" || told.Reason.Args["problem"] != "busy?[2J?again" {
			t.Errorf("%+v", told)
		}
		if last := f.audit.records[f.audit.count()-1]; !strings.Contains(string(last.Detail), `"done":false`) || !strings.Contains(string(last.Detail), reason.RemedyFailed) {
			t.Errorf("recorded %s", last.Detail)
		}
	})
}

func TestAnOutcomeThatCannotBeRecordedIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		r := f.repairing(t)
		f.audit.full = true
		if err := f.Remedied(t.Context(), laptop, done(r)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		f.stage(t, r, wire.RepairTaken)
		f.audit.full = false
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		f.stage(t, r, wire.RepairMeasuring)
	})
}

func TestARepairEndsByTimeAndWithItsDevice(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(f *fixture)
		code string
	}{
		"no answer": {func(*fixture) { time.Sleep(wire.RepairLife) }, reason.RemedyNoAnswer},
		"gone":      {func(f *fixture) { f.Forget(laptop.ID) }, reason.RemedyGone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t)
				defer f.close(t)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { f.Run(ctx); close(ended) }()
				defer func() { cancel(); <-ended }()
				r := f.repairing(t)
				c.end(f)
				time.Sleep(2 * longestNap)
				if told := f.stage(t, r, wire.RepairEnded); told.Done || told.Reason == nil || told.Reason.Code != c.code {
					t.Errorf("%+v", told)
				}
				if last := f.audit.records[f.audit.count()-1]; last.Kind != wire.AuditRemedy || !strings.Contains(string(last.Detail), c.code) {
					t.Errorf("recorded %s", last.Detail)
				}
				refusedWith(t, f.Remedied(t.Context(), laptop, done(r)), reason.RemedyNotAsked)
				if left := f.poll(time.Second); len(left) != 0 {
					t.Errorf("still asked: %+v", left)
				}
				time.Sleep(wire.RepairLife + longestNap)
				if _, err := f.RepairOf(laptop.ID, r.ID); !errors.Is(err, store.ErrNotFound) || len(f.repairs) != 0 {
					t.Errorf("remembered for ever: %v", err)
				}
			})
		})
	}
}

func TestARepairDoesNotWaitForEverForEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		r := f.repairing(t)
		if err := f.Remedied(t.Context(), laptop, done(r)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(measureWait)
		if told := f.stage(t, r, wire.RepairEnded); !told.Done || told.Measured || told.State != "" {
			t.Errorf("%+v", told)
		}
	})
}

func TestALateReportIsRefusedBeforeTheTimersCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		r := f.repairing(t)
		time.Sleep(wire.RepairLife)
		if left := f.poll(time.Second); left != nil {
			t.Errorf("still asked: %+v", left)
		}
		refusedWith(t, f.Remedied(t.Context(), laptop, done(r)), reason.RemedyNotAsked)
	})
}
