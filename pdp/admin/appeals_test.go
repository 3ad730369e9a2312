package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/store"
)

func newAppeals(t *testing.T, s store.Store, clock func() time.Time) *appeal.Keeper {
	t.Helper()
	k, err := appeal.New(t.Context(), appeal.Config{
		Store: s, Clock: clock, Random: rand.Reader,
		Decided: func(string) (string, string, string, error) { return "nstc", "per-1", "ses-1", nil },
		NotMe:   func(context.Context, string, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestAnAppealIsAnsweredOnTheRecord: who answered is in the log, what was said is not.
func TestAnAppealIsAnsweredOnTheRecord(t *testing.T) {
	f := open(t)
	for _, agency := range []string{"nstc", "moda"} {
		if _, err := f.dir.CreateAgency(t.Context(), wire.Agency{ID: agency, NameZH: agency, NameEN: agency}); err != nil {
			t.Fatal(err)
		}
	}
	filed, err := f.appeals.File(t.Context(), "per-1", "dec-1", wire.AppealWrong, "my laptop was repaired")
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.Appeals(t.Context(), "nstc")
	if err != nil || len(all) != 1 || all[0] != filed {
		t.Fatalf("%+v, %v", all, err)
	}
	if all, err := f.Appeals(t.Context(), "moda"); err != nil || len(all) != 0 {
		t.Errorf("another agency sees %+v, %v", all, err)
	}
	in := client.AppealAnswer{Outcome: wire.AppealUpheld, Answer: "the repair was not noted"}
	if _, err := f.AnswerAppeal(t.Context(), "moda", filed.ID, in); err == nil {
		t.Errorf("another agency answers: %v", err)
	}
	f.audit.room = len(f.audit.records)
	if _, err := f.AnswerAppeal(t.Context(), "nstc", filed.ID, in); err == nil {
		t.Error("an answer that is not recorded was given")
	}
	f.audit.room = 1000
	done, err := f.AnswerAppeal(t.Context(), "nstc", filed.ID, in)
	if err != nil || done.Outcome != wire.AppealUpheld || done.By != "uid:0" {
		t.Fatalf("%+v, %v", done, err)
	}
	var said []string
	for _, a := range f.audit.acts(t) {
		said = append(said, a.Action+" "+a.Outcome+" "+a.By+" "+a.agency)
	}
	if got, want := strings.Join(said, ","), "appeal answer asked uid:0 nstc,appeal answer done uid:0 nstc"; got != want {
		t.Errorf("%s", got)
	}
	if raw, err := json.Marshal(f.audit.records); err != nil || strings.Contains(string(raw), "repair") {
		t.Errorf("the log holds the words: %v", err)
	}
}
