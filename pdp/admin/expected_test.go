package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func TestListsOfExpectedDevices(t *testing.T) {
	f := open(t)
	f.populate(t)
	ctx := t.Context()
	const csv = "ek_sha256,device_name\nab,LT-1\n"
	out, err := f.ImportExpected(ctx, "moda", client.NewExpected{Name: "delivery", CSV: csv})
	if err != nil || out.List.Name != "delivery" || out.List.Devices != len(csv) || out.Approved != 2 || f.others.by != "uid:0" {
		t.Errorf("%+v %v", out, err)
	}
	acts := f.audit.acts(t)
	asked, done := acts[len(acts)-2], acts[len(acts)-1]
	if input, ok := asked.Input.(map[string]any); !ok || input["sha256"] == "" || input["name"] != "delivery" || asked.Outcome != outcomeAsked || asked.agency != "moda" {
		t.Errorf("recorded %+v", asked)
	}
	if done.Outcome != outcomeDone || done.Made != "exp-1" {
		t.Errorf("recorded %+v", done)
	}
	if lists, err := f.ExpectedLists(ctx, "moda"); err != nil || len(lists) != 1 {
		t.Errorf("%+v %v", lists, err)
	}
	if rows, err := f.ExpectedDevices(ctx, "moda", "exp-1"); err != nil || len(rows) != 1 || rows[0].DeviceName != "LT-1" {
		t.Errorf("%+v %v", rows, err)
	}
	if err := f.RemoveExpected(ctx, "moda", "exp-1"); err != nil || len(f.others.removed) != 1 {
		t.Error(err, f.others.removed)
	}
	_, err = f.ImportExpected(ctx, "moda", client.NewExpected{Name: "delivery"})
	refusedWith(t, err, http.StatusBadRequest, reason.CfgLife) // whatever the list's own refusal is
	refusedWith(t, f.RemoveExpected(ctx, "moda", "exp-2"), http.StatusNotFound, reason.CfgNotFound)
	_, err = f.ExpectedDevices(ctx, "moda", "exp-2")
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	for name, ask := range map[string]func() error{
		"import": func() error {
			_, err := f.ImportExpected(ctx, "none", client.NewExpected{Name: "x", CSV: csv})
			return err
		},
		"list":   func() error { _, err := f.ExpectedLists(ctx, "none"); return err },
		"show":   func() error { _, err := f.ExpectedDevices(ctx, "none", "exp-1"); return err },
		"remove": func() error { return f.RemoveExpected(ctx, "none", "exp-1") },
		"codes": func() error {
			_, err := f.IssueCodes(ctx, "none", client.NewCodes{CSV: "device_name\nLT-1\n", LifeSeconds: 60})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, ask(), http.StatusNotFound, reason.CfgNotFound) })
	}
	_, err = f.ImportExpected(ctx, "moda", client.NewExpected{Name: "x", CSV: strings.Repeat("x", maxList)})
	refusedWith(t, err, http.StatusRequestEntityTooLarge, reason.TooLarge)
}

func TestManyCodesAndReplacements(t *testing.T) {
	f := open(t)
	f.populate(t)
	codes, err := f.IssueCodes(t.Context(), "moda", client.NewCodes{CSV: "LT-1", LifeSeconds: 60})
	if err != nil || len(codes.Codes) != 1 || codes.Codes[0].DeviceName != "LT-1" || codes.Expires.IsZero() {
		t.Errorf("%+v %v", codes, err)
	}
	for _, act := range f.audit.acts(t) {
		if input, ok := act.Input.(map[string]any); ok && act.Action == "device codes" && input["csv"] != nil {
			t.Error("the list itself is recorded")
		}
	}
	_, err = f.IssueCodes(t.Context(), "moda", client.NewCodes{CSV: "LT-1", LifeSeconds: 59})
	refusedWith(t, err, http.StatusBadRequest, reason.CfgLife)
	for replace, want := range map[bool]string{false: "menshen1.secret", true: "menshen1.replacement"} {
		code, err := f.IssueCode(t.Context(), "moda", client.NewCode{DeviceName: "LT-1", LifeSeconds: 60, Replace: replace})
		if err != nil || code.Code != want {
			t.Errorf("replace %v: %+v %v", replace, code, err)
		}
	}
}
