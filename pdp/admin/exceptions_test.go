package admin

import (
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// TestExceptionsAreRecorded: who gave and who took one is in the audit log.
func TestExceptionsAreRecorded(t *testing.T) {
	f := open(t)
	if _, err := f.dir.CreateAgency(t.Context(), wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "NSTC"}); err != nil {
		t.Fatal(err)
	}
	e, err := f.AddException(t.Context(), "nstc", client.NewException{Claim: wire.ClaimFirewall, Reason: "a lab behind a firewall", Days: 7})
	if err != nil || e.Approver != "uid:0" || e.Agency != "nstc" {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := f.RemoveException(t.Context(), "nstc", e.ID); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, a := range f.audit.acts(t) {
		said = append(said, a.Action+" "+a.Outcome+" "+a.By+" "+a.agency)
	}
	want := "exception add asked uid:0 nstc,exception add done uid:0 nstc,exception remove asked uid:0 nstc,exception remove done uid:0 nstc"
	if got := strings.Join(said, ","); got != want {
		t.Errorf("%s", got)
	}
	f.audit.room = len(f.audit.records)
	if _, err := f.AddException(t.Context(), "nstc", client.NewException{Claim: wire.ClaimFirewall, Reason: "a lab behind a firewall", Days: 7}); err == nil {
		t.Error("an exception was given that is not recorded")
	}
	if all, err := f.Client.Exceptions(t.Context(), "nstc"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
