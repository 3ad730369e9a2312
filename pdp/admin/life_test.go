package admin

import (
	"net/http"
	"slices"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// twoAgencies adds a second agency and accepts the device.
func (f *fixture) twoAgencies(t *testing.T) (wire.Person, wire.Device) {
	t.Helper()
	p, d := f.populate(t)
	if _, err := f.dir.CreateAgency(t.Context(), wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "Science"}); err != nil {
		t.Fatal(err)
	}
	if d.Status == wire.DevicePending {
		if _, err := f.dir.ApproveDevice(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
	return p, d
}

func TestADevicesLifeIsChangedAndRecorded(t *testing.T) {
	f := open(t)
	p, d := f.twoAgencies(t)
	ctx := t.Context()
	portal, err := f.CreatePortal(ctx, "moda", client.NewPortal{NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	var moved wire.Device
	for _, step := range []struct {
		action string
		device string
		do     func() (bool, error)
	}{
		{"device quarantine", d.ID, func() (bool, error) {
			got, err := f.QuarantineDevice(ctx, "moda", d.Name, client.StatusChange{Reason: "lost"})
			return got.Status == wire.DeviceQuarantined && got.StatusReason == "lost", err
		}},
		{"device release", d.ID, func() (bool, error) {
			got, err := f.ReleaseDevice(ctx, "", d.ID, client.StatusChange{})
			return got.Status == wire.DeviceActive, err
		}},
		{"device assign", d.ID, func() (bool, error) {
			got, err := f.AssignDevice(ctx, "moda", d.Name, client.Assign{Person: "wang.xm"})
			return got.Owner == p.ID, err
		}},
		{"device assign", d.ID, func() (bool, error) {
			got, err := f.AssignDevice(ctx, "", d.ID, client.Assign{Person: p.ID})
			return got.Owner == p.ID, err
		}},
		{"device assign", d.ID, func() (bool, error) {
			got, err := f.AssignDevice(ctx, "", d.ID, client.Assign{})
			return got.Owner == "", err
		}},
		{"device group", d.ID, func() (bool, error) {
			got, err := f.GroupDevice(ctx, "moda", d.Name, client.Group{Group: "pilot"})
			return got.Group == "pilot", err
		}},
		{"portal hosts", "", func() (bool, error) {
			got, err := f.SetPortalHosts(ctx, portal.Portal.ID, client.Hosts{Devices: []string{d.Name}})
			return slices.Equal(got.Hosts, []string{d.ID}) && got.SecretHash == nil, err
		}},
		{"portal routes", "", func() (bool, error) {
			got, err := f.SetPortalRoutes(ctx, portal.Portal.ID, client.Routes{Routes: []wire.Route{{Path: "/x", Class: "c"}}})
			return len(got.Routes) == 1 && got.Routes[0].Class == "c" && got.SecretHash == nil, err
		}},
		{"agency withdraw-keys", "", func() (bool, error) {
			got, err := f.WithdrawKeys(ctx, "moda")
			return got.ID == "moda" && slices.Equal(f.others.withdrawn, []string{"moda"}), err
		}},
		{"portal tokens", "", func() (bool, error) {
			got, err := f.SetPortalTokenFrom(ctx, portal.Portal.ID, client.TokenFrom{Networks: []string{"192.0.2.0/24"}})
			return slices.Equal(got.TokenFrom, []string{"192.0.2.0/24"}) && got.SecretHash == nil, err
		}},
		{"device transfer", d.ID, func() (bool, error) {
			moved, err = f.TransferDevice(ctx, "moda", d.Name, client.Transfer{Agency: "nstc", Name: "NS-1", Reason: "moved"})
			return moved.Agency == "nstc" && moved.Name == "NS-1" && moved.ID != d.ID && moved.Group == "", err
		}},
	} {
		before := len(f.audit.acts(t))
		if ok, err := step.do(); err != nil || !ok {
			t.Errorf("%s: %v", step.action, err)
		}
		acts := f.audit.acts(t)[before:]
		if len(acts) != 2 || acts[0].Outcome != outcomeAsked || acts[0].Input == nil || acts[1].Outcome != outcomeDone ||
			acts[0].Action != step.action || acts[0].device != step.device || acts[0].agency != "moda" || acts[1].By != "uid:0" {
			t.Errorf("%s: recorded %+v", step.action, acts)
		}
		if step.action == "device transfer" && acts[1].Made != moved.ID {
			t.Errorf("the record does not name what was made: %+v", acts[1])
		}
	}
}

func TestAChangeOfALifeThatIsRefused(t *testing.T) {
	f := open(t)
	_, d := f.twoAgencies(t)
	ctx := t.Context()
	portal, err := f.CreatePortal(ctx, "nstc", client.NewPortal{NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status int
		code   string
		do     func() error
	}{
		"no reason":        {http.StatusBadRequest, reason.CfgStatusReason, func() error { _, err := f.QuarantineDevice(ctx, "", d.ID, client.StatusChange{}); return err }},
		"not quarantined":  {http.StatusConflict, reason.CfgState, func() error { _, err := f.ReleaseDevice(ctx, "", d.ID, client.StatusChange{}); return err }},
		"nobody's account": {http.StatusNotFound, reason.CfgNotFound, func() error { _, err := f.AssignDevice(ctx, "", d.ID, client.Assign{Person: "who"}); return err }},
		"group":            {http.StatusBadRequest, reason.CfgAccount, func() error { _, err := f.GroupDevice(ctx, "", d.ID, client.Group{Group: "A b"}); return err }},
		"same agency":      {http.StatusBadRequest, reason.CfgSameAgency, func() error { _, err := f.TransferDevice(ctx, "", d.ID, client.Transfer{Agency: "moda"}); return err }},
		"no device": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.TransferDevice(ctx, "moda", "LT-77", client.Transfer{Agency: "nstc"})
			return err
		}},
		"no portal": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.SetPortalHosts(ctx, "por-00000000000000000000000004", client.Hosts{})
			return err
		}},
		"routes of no portal": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.SetPortalRoutes(ctx, "por-00000000000000000000000004", client.Routes{})
			return err
		}},
		"tokens of a portal's origin": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.SetPortalTokenFrom(ctx, "https://hr.example", client.TokenFrom{})
			return err
		}},
		"a route": {http.StatusBadRequest, reason.CfgRoutes, func() error {
			_, err := f.SetPortalRoutes(ctx, portal.Portal.ID, client.Routes{Routes: []wire.Route{{Path: "x", Class: "c"}}})
			return err
		}},
		"a network": {http.StatusBadRequest, reason.CfgTokenFrom, func() error {
			_, err := f.SetPortalTokenFrom(ctx, portal.Portal.ID, client.TokenFrom{Networks: []string{"0.0.0.0/0"}})
			return err
		}},
		"a portal's origin": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.SetPortalHosts(ctx, "https://hr.example", client.Hosts{})
			return err
		}},
		"host of another agency by name": {http.StatusNotFound, reason.CfgNotFound, func() error {
			_, err := f.SetPortalHosts(ctx, portal.Portal.ID, client.Hosts{Devices: []string{d.Name}})
			return err
		}},
		"host of another agency by id": {http.StatusBadRequest, reason.CfgHosts, func() error {
			_, err := f.SetPortalHosts(ctx, portal.Portal.ID, client.Hosts{Devices: []string{d.ID}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, c.do(), c.status, c.code) })
	}
	if got, _ := f.dir.Device(ctx, d.ID); got.Status != wire.DeviceActive || got.Agency != "moda" || got.Owner != "" || got.Group != "" {
		t.Errorf("changed: %+v", got)
	}
}
