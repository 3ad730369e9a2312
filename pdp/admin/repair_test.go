package admin

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func TestARepairIsAskedForAndRecorded(t *testing.T) {
	f := open(t)
	_, d := f.populate(t)
	ctx := t.Context()
	_, err := f.Repair(ctx, "moda", d.Name, repairID)
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	before := len(f.audit.acts(t))
	r, err := f.RepairDevice(ctx, "moda", d.Name, client.NewRepair{Claim: wire.ClaimFirewall})
	if err != nil || r.ID != repairID || r.Stage != wire.RepairSent {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := []string{d.ID + " firewall uid:0"}; !slices.Equal(f.others.repairs, want) {
		t.Errorf("asked %v, want %v", f.others.repairs, want)
	}
	acts := f.audit.acts(t)[before:]
	if len(acts) != 2 || acts[0].Action != "device repair" || acts[0].Outcome != outcomeAsked || acts[0].device != d.ID || acts[0].agency != "moda" || acts[0].Input == nil ||
		acts[1].Outcome != outcomeDone || acts[1].Made != repairID || acts[1].By != "uid:0" {
		t.Errorf("recorded %+v", acts)
	}
	if told, err := f.Repair(ctx, "", d.ID, repairID); err != nil || !told.Done || told.Stage != wire.RepairEnded {
		t.Errorf("%+v, %v", told, err)
	}
	if n := len(f.audit.acts(t)); n != before+2 {
		t.Errorf("a look is recorded: %d", n-before)
	}
}

func TestARepairThatIsNotAskedFor(t *testing.T) {
	f := open(t)
	_, d := f.populate(t)
	ctx := t.Context()
	_, err := f.RepairDevice(ctx, "moda", "LT-77", client.NewRepair{Claim: wire.ClaimFirewall})
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	_, err = f.RepairDevice(ctx, "", d.ID, client.NewRepair{Claim: wire.ClaimDiskEncryption})
	refusedWith(t, err, http.StatusBadRequest, reason.CfgLife) // as the fixture refuses it
	f.audit.room = len(f.audit.acts(t))
	_, err = f.RepairDevice(ctx, "", d.ID, client.NewRepair{Claim: wire.ClaimFirewall})
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
	if len(f.others.repairs) != 0 {
		t.Errorf("asked without a record: %v", f.others.repairs)
	}
}

func TestARepairIsForAdministratorsAlone(t *testing.T) {
	f := open(t)
	_, d := f.populate(t)
	answer, err := f.as(t, nobodyUID).Post("http://menshen/v1/devices/"+d.ID+"/repairs", "application/json", strings.NewReader(`{"claim":"firewall"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusForbidden || len(f.others.repairs) != 0 {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
}
