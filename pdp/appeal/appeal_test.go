package appeal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type fixture struct {
	*Keeper
	store store.Store
	now   time.Time
	ended []string
	stuck error // what ending a session gives
}

func open(t *testing.T) *fixture {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{store: s, now: noon}
	f.again(t)
	return f
}

// again opens the keeper anew, as after a restart.
func (f *fixture) again(t *testing.T) {
	t.Helper()
	k, err := New(t.Context(), Config{
		Store: f.store, Clock: func() time.Time { return f.now }, Random: rand.Reader,
		// The log knows decisions dec-<person>-…, of sessions ses-<person>.
		Decided: func(id string) (string, string, string, error) {
			person, _, ok := strings.Cut(strings.TrimPrefix(id, "dec-"), "-")
			if !ok {
				return "", "", "", fmt.Errorf("test: %w", store.ErrNotFound)
			}
			return "moda", person, "ses-" + person, nil
		},
		NotMe: func(_ context.Context, person, session string) error {
			f.ended = append(f.ended, person+" "+session)
			return f.stuck
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Keeper = k
}

func code(err error) string {
	var told interface{ Reason() wire.Reason }
	if errors.As(err, &told) {
		return told.Reason().Code
	}
	return fmt.Sprint(err)
}

func TestAnAppealsLife(t *testing.T) {
	f := open(t)
	a, err := f.File(t.Context(), "ann", "dec-ann-1", wire.AppealWrong, " 我的筆電當天送修\n請再看一次 ")
	if err != nil || a.Agency != "moda" || a.Text != "我的筆電當天送修\n請再看一次" || !a.At.Equal(noon) || wire.CheckID(wire.PrefixAppeal, a.ID) != nil {
		t.Fatalf("%+v, %v", a, err)
	}
	f.again(t) // what was acknowledged is there after a restart
	if got := f.Of("ann"); len(got) != 1 || got[0] != a || len(f.Of("bob")) != 0 || len(f.List("moda")) != 1 || len(f.List("moi")) != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := f.Answer(t.Context(), "moi", a.ID, wire.AppealUpheld, "the laptop was repaired", "uid:1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another agency's officer: %v", err)
	}
	done, err := f.Answer(t.Context(), "moda", a.ID, wire.AppealUpheld, "the laptop was repaired", "uid:1")
	if err != nil || done.Outcome != wire.AppealUpheld || done.By != "uid:1" || !done.AnsweredAt.Equal(noon) {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := f.Answer(t.Context(), "moda", a.ID, wire.AppealDismissed, "on second thoughts no", "uid:2"); code(err) != reason.AppealAnswered {
		t.Errorf("a second answer: %v", err)
	}
	f.again(t)
	if got := f.Of("ann"); len(got) != 1 || got[0] != done {
		t.Errorf("%+v", got)
	}
	if len(f.ended) != 0 {
		t.Errorf("sessions ended: %v", f.ended)
	}
}

func TestNotMeEndsTheSessionFirst(t *testing.T) {
	f := open(t)
	f.stuck = errors.New("the store is slow")
	if _, err := f.File(t.Context(), "ann", "dec-ann-1", wire.AppealNotMe, ""); err == nil || len(f.Of("ann")) != 0 {
		t.Fatalf("kept, and the session lives: %v", err)
	}
	f.stuck = nil
	if _, err := f.File(t.Context(), "ann", "dec-ann-1", wire.AppealNotMe, ""); err != nil {
		t.Fatal(err)
	}
	if want := "ann ses-ann"; len(f.ended) != 2 || f.ended[1] != want {
		t.Errorf("ended %v, not %s", f.ended, want)
	}
}

func TestRefusedAppeals(t *testing.T) {
	f := open(t)
	if _, err := f.File(t.Context(), "ann", "dec-ann-1", wire.AppealWrong, ""); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		person, decision string
		kind             wire.AppealKind
		text, want       string
	}{
		"twice":              {"ann", "dec-ann-1", wire.AppealWrong, "", reason.AppealTwice},
		"of somebody else":   {"bob", "dec-ann-2", wire.AppealNotMe, "", reason.AppealDecision},
		"of nobody":          {"", "dec--2", wire.AppealWrong, "", reason.AppealDecision},
		"no such decision":   {"ann", "dec-1", wire.AppealWrong, "", reason.AppealDecision},
		"no kind":            {"ann", "dec-ann-2", "", "", reason.AppealKindUnknown},
		"another kind":       {"ann", "dec-ann-2", "angry", "", reason.AppealKindUnknown},
		"too long":           {"ann", "dec-ann-2", wire.AppealWrong, strings.Repeat("字", 1001), reason.AppealText},
		"terminal's escapes": {"ann", "dec-ann-2", wire.AppealWrong, "\x1b[2J", reason.AppealText},
		"not text":           {"ann", "dec-ann-2", wire.AppealWrong, "\xff", reason.AppealText},
	} {
		if _, err := f.File(t.Context(), tt.person, tt.decision, tt.kind, tt.text); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if len(f.ended) != 0 || len(f.List("moda")) != 1 {
		t.Errorf("ended %v, %d kept", f.ended, len(f.List("moda")))
	}
	for n := 2; n <= mostOpen; n++ {
		if _, err := f.File(t.Context(), "ann", fmt.Sprint("dec-ann-", n), wire.AppealWrong, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.File(t.Context(), "ann", "dec-ann-99", wire.AppealWrong, ""); code(err) != reason.AppealTooMany || len(f.ended) != 0 {
		t.Errorf("one too many: %v", err)
	}
}

// TestNobodyCanKeepAPersonFromSayingNotMe: whoever holds a person's session can
// object to all decisions before the person does.
func TestNobodyCanKeepAPersonFromSayingNotMe(t *testing.T) {
	f := open(t)
	for n := range mostOpen - 1 {
		if _, err := f.File(t.Context(), "ann", fmt.Sprint("dec-ann-", n), wire.AppealWrong, ""); err != nil {
			t.Fatal(err)
		}
	}
	a, err := f.File(t.Context(), "ann", "dec-ann-0", wire.AppealNotMe, "")
	if err != nil || len(f.ended) != 1 || a.Kind != wire.AppealNotMe {
		t.Errorf("of a decision that was called wrong: %v, ended %v", err, f.ended)
	}
	for _, kind := range []wire.AppealKind{wire.AppealWrong, wire.AppealNotMe} {
		if _, err := f.File(t.Context(), "ann", "dec-ann-0", kind, ""); code(err) != reason.AppealTwice {
			t.Errorf("%s after it: %v", kind, err)
		}
	}
	ended := len(f.ended)
	if _, err := f.File(t.Context(), "ann", "dec-ann-99", wire.AppealNotMe, ""); code(err) != reason.AppealTooMany || len(f.ended) != ended+1 {
		t.Errorf("without room for the words: %v, ended %v", err, f.ended)
	}
}

func TestRefusedAnswers(t *testing.T) {
	f := open(t)
	a, err := f.File(t.Context(), "ann", "dec-ann-1", wire.AppealWrong, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		outcome      wire.AppealOutcome
		answer, want string
	}{
		"no outcome": {wire.AppealOpen, "we looked at it", reason.AppealOutcomeUnknown},
		"no words":   {wire.AppealUpheld, "   no     ", reason.AppealAnswer},
		"too many":   {wire.AppealUpheld, strings.Repeat("x", 1001), reason.AppealAnswer},
		"escapes":    {wire.AppealUpheld, "we looked at it\x1b[2J", reason.AppealAnswer},
	} {
		if _, err := f.Answer(t.Context(), "moda", a.ID, tt.outcome, tt.answer, "uid:1"); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if got := f.Of("ann"); got[0].Outcome != wire.AppealOpen {
		t.Errorf("%+v", got)
	}
}

func TestAppealsEnd(t *testing.T) {
	f := open(t)
	for _, person := range []string{"ann", "bob"} {
		if _, err := f.File(t.Context(), person, "dec-"+person+"-1", wire.AppealWrong, "words of "+person); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.Erase(t.Context(), "ann"); n != 1 || err != nil || len(f.Of("ann")) != 0 {
		t.Fatalf("erased %d, %v", n, err)
	}
	page, err := f.store.Scan(t.Context(), store.Prefix(Kind, ""), "", 10)
	if err != nil || len(page.Records) != 1 || bytes.Contains(page.Records[0].Value, []byte("words of ann")) {
		t.Errorf("the store holds %v, %v", page.Records, err)
	}
	f.now = noon.Add(Life + time.Second)
	if len(f.Of("bob")) != 0 {
		t.Error("an appeal outlives its time")
	}
	f.again(t)
	if len(f.Of("bob")) != 0 {
		t.Error("it comes back after a restart")
	}
}
