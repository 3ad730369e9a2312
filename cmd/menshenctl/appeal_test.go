package main

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/store"
)

func newAppeals(t *testing.T, s store.Store) *appeal.Keeper {
	t.Helper()
	k, err := appeal.New(t.Context(), appeal.Config{
		Store: s, Clock: time.Now, Random: rand.Reader,
		Decided: func(string) (string, string, string, error) { return "nstc", "per-1", sessionID, nil },
		NotMe:   func(context.Context, string, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAppeals(t *testing.T) {
	c := newConsole(t)
	filed, err := c.appeals.File(t.Context(), "per-1", decisionID, wire.AppealNotMe, "I was on leave\nthat day")
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := c.run(0, "appeal", "list", "--agency", "nstc"); !strings.Contains(out, filed.ID) || !strings.Contains(out, "it was not me") || !strings.Contains(out, "open") {
		t.Errorf("%s", out)
	}
	// The record is attached: an officer sees both at once.
	if out, _ := c.run(0, "appeal", "show", filed.ID, "--agency", "nstc"); !strings.Contains(out, "I was on leave") || !strings.Contains(out, "networknovelty") || !strings.Contains(out, "baseline.firewall") {
		t.Errorf("%s", out)
	}
	if _, err := c.run(1, "appeal", "show", filed.ID, "--agency", "moda"); !strings.Contains(err, reason.CfgNotFound) {
		t.Errorf("another agency: %s", err)
	}
	answer := []string{"appeal", "answer", filed.ID, "--agency", "nstc"}
	for want, more := range map[string][]string{
		reason.AppealOutcomeUnknown: {"--uphold", "--dismiss", "--text", "we looked at it"},
		reason.AppealAnswer:         {"--uphold", "--text", "no"},
	} {
		exit := exitRefused
		if want == reason.AppealOutcomeUnknown {
			exit = exitUsage
		}
		if _, err := c.run(exit, append(answer, more...)...); !strings.Contains(err, want) {
			t.Errorf("%v: %s", more, err)
		}
	}
	if out, _ := c.run(0, append(answer, "--dismiss", "--text", "the laptop was in your office")...); !strings.Contains(out, "dismissed") || !strings.Contains(out, "uid:") {
		t.Errorf("%s", out)
	}
	if _, err := c.run(1, append(answer, "--uphold", "--text", "on second thoughts")...); !strings.Contains(err, reason.AppealAnswered) {
		t.Errorf("twice: %s", err)
	}
	c.lang = "zh_TW.UTF-8"
	if out, _ := c.run(0, "appeal", "list", "--agency", "nstc"); !strings.Contains(out, "不是本人") || !strings.Contains(out, "不成立") {
		t.Errorf("%s", out)
	}
}
