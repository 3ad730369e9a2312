package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/posture"
)

// TestReportsOfScreensAreBounded: one for each person, the latest, and not more
// than so many people's.
func TestReportsOfScreensAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := &Agent{clock: func() time.Time { return now }}
	a.screens.desktop = func(uint32) bool { return true }
	a.ScreenLock(1000, local.ScreenLockReport{Desktop: "GNOME", Enabled: true, AfterSeconds: 300})
	a.ScreenLock(1000, local.ScreenLockReport{Desktop: "GNOME", Problem: "x"})
	want := posture.ScreenLock{UID: 1000, Desktop: "GNOME", Problem: "x", At: now}
	if got := a.screens.all(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
	for uid := range uint32(maxScreenLocks) {
		a.ScreenLock(2000+uid, local.ScreenLockReport{Enabled: true, AfterSeconds: 60})
	}
	got := a.screens.all()
	if len(got) != maxScreenLocks || got[0].UID != 2000 || got[0].After != time.Minute {
		t.Errorf("%d reports, the first %+v", len(got), got[0])
	}
}

// TestNobodyCrowdsOutAPerson: the reports of users without a desktop go first.
func TestNobodyCrowdsOutAPerson(t *testing.T) {
	a := &Agent{clock: time.Now}
	a.screens.desktop = func(uid uint32) bool { return uid == 1000 }
	a.ScreenLock(1000, local.ScreenLockReport{Enabled: true, AfterSeconds: 60})
	for uid := range uint32(2 * maxScreenLocks) {
		a.ScreenLock(100000+uid, local.ScreenLockReport{})
	}
	got := a.screens.all()
	if !slices.ContainsFunc(got, func(r posture.ScreenLock) bool { return r.UID == 1000 }) || len(got) > maxScreenLocks {
		t.Errorf("%d reports, and not the person's", len(got))
	}
}
