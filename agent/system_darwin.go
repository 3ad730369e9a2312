package agent

import "io/fs"

// directories are where the agent's data and sockets lie.
func directories() (data, run string) {
	return "/Library/Application Support/Menshen/agent", "/var/run/menshen-agent"
}

// shippedBaselines is where the package lays rule files.
func shippedBaselines() string { return "/Library/Application Support/Menshen/baselines" }

// DefaultConfig is the configuration file's path.
func DefaultConfig() string { return "/Library/Application Support/Menshen/agent.yaml" }

func ownerOf(fs.FileInfo) (int, bool) { return 0, false }
