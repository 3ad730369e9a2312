package posture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Where ClamAV runs and keeps its signatures on Debian and on RHEL.
var (
	clamavUnits = [...]string{"clamav-daemon.service", "clamd@scan.service"}
	clamavFiles = [...]string{"daily.cld", "daily.cvd"}
)

const clamavFolder = "var/lib/clamav"

func clamavFolders() []string { return []string{clamavFolder} }

// antivirus passes when the antivirus or EDR that the administrator named, or
// else ClamAV, runs and its signatures are fresh.
func antivirus(ctx context.Context, m Machine) outcome {
	chosen := m.Settings.Antivirus
	running, name, err := antivirusRuns(ctx, m, chosen)
	if err != nil {
		return cannot("%v", err)
	}
	value := map[string]string{"product": name}
	if !running {
		return fails(value, "%s is not running", name)
	}
	built, err := signaturesOf(m, chosen)
	if errors.Is(err, fs.ErrNotExist) {
		return fails(value, "%s has no signatures", name)
	}
	if err != nil {
		return cannot("the signatures of %s: %v", name, err)
	}
	value["signatures"] = built.UTC().Format(time.RFC3339)
	now := m.Clock()
	if built.After(now.Add(24 * time.Hour)) {
		return cannot("the signatures of %s are dated %s, which is not yet", name, value["signatures"])
	}
	if now.Sub(built) > chosen.maxAge() {
		return fails(value, "the signatures of %s are of %s", name, built.UTC().Format(time.DateOnly))
	}
	return passes(value)
}

func antivirusRuns(ctx context.Context, m Machine, chosen Antivirus) (running bool, name string, err error) {
	switch {
	case chosen.Process != "" && chosen.Unit == "":
		running, err = processRuns(m.Files, chosen.Process)
		return running, chosen.Process, err
	case chosen.Unit != "":
		all, err := units(ctx, m, chosen.Unit)
		return err == nil && all[0].running(), chosen.Unit, err
	}
	all, err := units(ctx, m, clamavUnits[:]...)
	if err != nil {
		return false, "", err
	}
	for _, u := range all {
		running = running || u.running()
	}
	return running, "ClamAV", nil
}

// mostSystemUID is the last user number of system accounts (login.defs(5)).
const mostSystemUID = 999

// processRuns looks for a process of that name of root or a system account: a
// person's own process of that name protects nothing.
func processRuns(files fs.FS, name string) (bool, error) {
	entries, err := fs.ReadDir(files, "proc")
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if _, err := strconv.ParseUint(e.Name(), 10, 32); err != nil {
			continue
		}
		raw, err := read(files, "proc/"+e.Name()+"/status", 64<<10)
		if err != nil {
			continue // it has ended
		}
		if status := parseStatus(string(raw)); status.name == name && status.uid <= mostSystemUID && status.state != "Z" {
			return true, nil
		}
	}
	return false, nil
}

type processStatus struct {
	name, state string
	uid         uint64
}

// parseStatus reads /proc/PID/status (proc_pid_status(5)).
func parseStatus(text string) processStatus {
	s := processStatus{uid: 1<<32 - 1}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "Name":
			s.name = strings.TrimSpace(value)
		case "State":
			s.state = fields[0]
		case "Uid":
			if uid, err := strconv.ParseUint(fields[0], 10, 32); err == nil {
				s.uid = uid
			}
		}
	}
	return s
}

func signaturesOf(m Machine, chosen Antivirus) (time.Time, error) {
	if chosen.Signatures != "" {
		info, err := fs.Stat(m.Files, strings.TrimPrefix(chosen.Signatures, "/"))
		if err != nil {
			return time.Time{}, err
		}
		return info.ModTime(), nil
	}
	if chosen.Unit != "" || chosen.Process != "" {
		return time.Time{}, errors.New("agent.yaml names no file of signatures")
	}
	return clamavBuilt(m.Files)
}

// clamavBuilt returns when the newest daily signatures were built, from the
// header of 512 bytes that each database begins with: fields between colons,
// the ninth of them the seconds since 1970.
func clamavBuilt(files fs.FS) (time.Time, error) {
	var newest time.Time
	missing := fs.ErrNotExist
	for _, name := range clamavFiles {
		header, err := head(files, clamavFolder+"/"+name, 512)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		fields := strings.Split(header, ":")
		if len(fields) < 9 || fields[0] != "ClamAV-VDB" {
			return time.Time{}, fmt.Errorf("%s has no header of a ClamAV database", name)
		}
		seconds, err := strconv.ParseInt(strings.TrimSpace(fields[8]), 10, 64)
		if err != nil || seconds <= 0 {
			return time.Time{}, fmt.Errorf("%s has an odd time in its header", name)
		}
		if built := time.Unix(seconds, 0); built.After(newest) {
			newest, missing = built, nil
		}
	}
	return newest, missing
}

// head reads the first bytes of a file, or all of a shorter one.
func head(files fs.FS, name string, size int64) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, size))
	return string(raw), err
}
