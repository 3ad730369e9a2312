//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// measureAgent is the argument by which this program measures the agent in a
// network of its own, where no port is taken.
const measureAgent = "measure-agent"

// watch is how long the agent's use of the processor is measured: the budget is
// for ten minutes, in which it attests twice.
var watch = flag.Duration("watch", 15*time.Second, "how long the agent is watched")

// footprint is what a running program takes of its machine.
type footprint struct {
	Start  time.Duration // from exec until it answers
	RSS    int64         // bytes, some time after it has done its work once
	Share  float64       // of one core, in the time after that
	Binary int64         // bytes
}

// agent measures the real agent, enrolled with a real PDP and attesting by a
// software TPM, beside an idle net/http server.
func agent(ctx context.Context, _ int) ([]line, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a network of its own needs root")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "unshare", "--net", self, measureAgent, watch.String()) // #nosec G204 -- this program itself
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	var both struct{ Agent, Floor footprint }
	if err := json.Unmarshal(out, &both); err != nil {
		return nil, err
	}
	a, f := both.Agent, both.Floor
	return []line{
		{name: "agent, start", figure: nanoseconds(float64(a.Start)), floor: nanoseconds(float64(f.Start)), limit: nanoseconds(0.3e9)},
		{name: "agent, RSS", figure: megabytes(a.RSS), floor: megabytes(f.RSS), limit: megabytes(25 << 20)},
		{name: "agent, share of a core over " + watch.String(), figure: percent(a.Share), floor: percent(f.Share), limit: percent(0.001)},
		{name: "agent, binary", figure: megabytes(a.Binary), limit: megabytes(15 << 20)},
	}, nil
}

func megabytes(bytes int64) value { return value{float64(bytes), "bytes"} }
func percent(share float64) value { return value{share * 100, "%"} }
func field(text, key string) string { // of a line "key:  value" of /proc
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, key+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// inspect reads a process's RSS, and its share of a core over a while.
func inspect(pid int, over time.Duration) (rss int64, share float64, err error) {
	before, err := exactCPU(pid)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(over)
	after, err := exactCPU(pid)
	if err != nil {
		return 0, 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	var kilobytes int64
	if _, err := fmt.Sscanf(field(string(status), "VmRSS"), "%d kB", &kilobytes); err != nil {
		return 0, 0, fmt.Errorf("VmRSS: %w", err)
	}
	return kilobytes << 10, float64(after-before) / float64(over), nil
}

// exactCPU is the time that a process's threads have run, in nanoseconds, from
// /proc/PID/task/*/schedstat. A thread that has ended is not in it.
func exactCPU(pid int) (time.Duration, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	var all time.Duration
	for _, task := range tasks {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			return 0, err
		}
		var ran, waited, slices int64
		if _, err := fmt.Sscan(string(raw), &ran, &waited, &slices); err != nil {
			return 0, err
		}
		all += time.Duration(ran)
	}
	return all, nil
}
