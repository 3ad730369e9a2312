package posture

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// reportLife is how long a session's report holds; sessions report each minute.
const reportLife = 5 * time.Minute

// screenLock judges what the desktop sessions say of themselves, because root
// cannot read it: every person with a desktop must have reported lately that
// the screen locks soon enough. A machine on which nobody has a desktop has no
// screen to lock.
func screenLock(_ context.Context, m Machine) outcome {
	people, err := desktopUsers(m.Files)
	if err != nil {
		return cannot("%v", err)
	}
	if len(people) == 0 {
		return outcome{state: wire.ClaimNotApplicable, problem: "nobody has a desktop session here"}
	}
	var reports []ScreenLock
	if m.ScreenLocks != nil {
		reports = m.ScreenLocks()
	}
	within := m.Settings.lockWithin()
	value := map[string]string{"within": within.String()}
	var off, unknown []string
	for _, uid := range people {
		text, state := judgeLock(reports, uid, m.Clock(), within)
		value["user "+strconv.FormatUint(uint64(uid), 10)] = text
		switch state {
		case wire.ClaimFail:
			off = append(off, text)
		case wire.ClaimError:
			unknown = append(unknown, text)
		}
	}
	switch {
	case len(off) > 0:
		return fails(value, "%s", strings.Join(off, "; "))
	case len(unknown) > 0:
		return outcome{state: wire.ClaimError, value: value, problem: strings.Join(unknown, "; ")}
	}
	return passes(value)
}

func judgeLock(reports []ScreenLock, uid uint32, now time.Time, within time.Duration) (string, wire.ClaimState) {
	at := slices.IndexFunc(reports, func(r ScreenLock) bool { return r.UID == uid })
	if at < 0 {
		return fmt.Sprintf("no report from the desktop of user %d", uid), wire.ClaimError
	}
	r := reports[at]
	switch age := now.Sub(r.At); {
	case age < 0 || age > reportLife:
		return fmt.Sprintf("no report lately from the desktop of user %d", uid), wire.ClaimError
	case r.Problem != "":
		return r.Problem, wire.ClaimError
	case !r.Enabled:
		return r.Desktop + " does not lock by itself", wire.ClaimFail
	case r.After <= 0 || r.After > within:
		return fmt.Sprintf("%s locks after %v, more than %v", r.Desktop, r.After, within), wire.ClaimFail
	}
	return fmt.Sprintf("%s locks after %v", r.Desktop, r.After), wire.ClaimPass
}

// HasDesktop reports whether a user has a graphical session of their own here.
func (m Machine) HasDesktop(uid uint32) bool {
	people, err := desktopUsers(m.Files)
	return err == nil && slices.Contains(people, uid)
}

// desktopUsers are the users with a graphical session of their own, as logind
// keeps them (sd-login(3) reads the same files). A greeter is none.
func desktopUsers(files fs.FS) ([]uint32, error) {
	entries, err := fs.ReadDir(files, "run/systemd/sessions")
	if err != nil {
		return nil, fmt.Errorf("logind does not tell who is here: %w", err)
	}
	var people []uint32
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".ref") {
			continue
		}
		raw, err := read(files, "run/systemd/sessions/"+e.Name(), 64<<10)
		if err != nil {
			continue // the session has ended
		}
		session := map[string]string{}
		for line := range strings.Lines(string(raw)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			session[name] = value
		}
		if !slices.Contains([]string{"x11", "wayland", "mir"}, session["TYPE"]) || !strings.HasPrefix(session["CLASS"], "user") || session["STATE"] == "closing" {
			continue
		}
		uid, err := strconv.ParseUint(session["UID"], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("session %s has an odd user", e.Name())
		}
		if !slices.Contains(people, uint32(uid)) {
			people = append(people, uint32(uid))
		}
	}
	slices.Sort(people)
	return people, nil
}
