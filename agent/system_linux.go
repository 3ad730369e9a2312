package agent

import (
	"io/fs"
	"syscall"
)

// directories are where the package lays the agent's data and sockets.
func directories() (data, run string) { return "/var/lib/menshen-agent", "/run/menshen-agent" }

// shippedBaselines is where the package lays rule files.
func shippedBaselines() string { return "/usr/share/menshen/baselines" }

// DefaultConfig is the configuration file's path.
func DefaultConfig() string { return "/etc/menshen/agent.yaml" }

func ownerOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
