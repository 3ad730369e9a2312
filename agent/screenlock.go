package agent

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/posture"
	"github.com/menshen-zt/menshen/agent/session"
	"github.com/menshen-zt/menshen/internal/command"
)

// screenLocks keeps the latest report of each person's desktop session.
type screenLocks struct {
	mu      sync.Mutex
	reports []posture.ScreenLock // the latest last
	// desktop tells who has a desktop here.
	desktop func(uid uint32) bool
}

// maxScreenLocks bounds how many people's reports are kept.
const maxScreenLocks = 64

func (s *screenLocks) take(report posture.ScreenLock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = slices.DeleteFunc(s.reports, func(r posture.ScreenLock) bool { return r.UID == report.UID })
	if len(s.reports) == maxScreenLocks {
		// One user can speak as many (subuid(5)), and must not crowd out people.
		s.reports = slices.DeleteFunc(s.reports, func(r posture.ScreenLock) bool { return !s.desktop(r.UID) })
	}
	if len(s.reports) == maxScreenLocks {
		s.reports = slices.Delete(s.reports, 0, 1)
	}
	s.reports = append(s.reports, report)
}

func (s *screenLocks) all() []posture.ScreenLock {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reports)
}

// ScreenLock implements local.Agent.
func (a *Agent) ScreenLock(uid uint32, r local.ScreenLockReport) {
	a.screens.take(posture.ScreenLock{
		UID: uid, Desktop: r.Desktop, Enabled: r.Enabled, After: time.Duration(r.AfterSeconds) * time.Second,
		Problem: r.Problem, At: a.clock(),
	})
}

// reportEvery is how often a session tells; the agent forgets after five times
// as long.
const reportEvery = time.Minute

// RunSession tells the agent of this desktop session's screen lock until ctx
// ends. It runs as the person, in the session.
func RunSession(ctx context.Context, c Config, logger *slog.Logger) {
	for ctx.Err() == nil {
		if err := ReportSession(ctx, c); err != nil {
			logger.Debug("the agent was not told of the screen lock", "error", err)
		}
		pause(ctx, reportEvery)
	}
}

// ReportSession tells the agent once.
func ReportSession(ctx context.Context, c Config) error {
	screen := session.Screen{
		Commands: command.System{Environment: append(os.Environ(), "LC_ALL=C.UTF-8")},
		Current:  os.Getenv("XDG_CURRENT_DESKTOP"),
	}
	lock := screen.Read(ctx)
	return local.ReportScreenLock(ctx, c.Control, local.ScreenLockReport{
		Desktop: short(lock.Desktop), Enabled: lock.Enabled, AfterSeconds: int64(lock.After / time.Second), Problem: short(lock.Problem),
	})
}

// short keeps a report within the control socket's bounds.
func short(text string) string {
	const most = 200
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
