// Command odd is an ill-behaved plugin for the host's tests. What it does wrong
// is the part of its own name after "odd-".
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func main() {
	mode, _ := strings.CutPrefix(filepath.Base(os.Args[0]), "odd-")
	switch mode {
	case "address":
		fmt.Println("1|1|unix|/run/menshen-pdp/admin.sock|grpc|")
		time.Sleep(time.Hour)
	case "mute":
		time.Sleep(time.Hour)
	}
	if mode == "broker" {
		serveBroker()
		return
	}
	if mode == "keeper" {
		k, err := newKeeper()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		contract.Serve(k)
		return
	}
	contract.Serve(odd{mode: mode})
}

// odd is a plugin that behaves as its mode says.
type odd struct{ mode string }

func (o odd) Describe() contract.Description {
	d := contract.Description{Name: "odd-" + o.mode, Version: "1", Cluster: contract.ClusterNetwork, Features: []contract.Feature{contract.FeatureNetwork}}
	describeOddly(o.mode, &d)
	return d
}

func (odd) Ready() bool { return true }

func (o odd) Observe(_ context.Context, all []contract.Observation) (int, error) {
	return len(all), nil
}

func (o odd) Assess(ctx context.Context, seen contract.Observation) (contract.Verdict, error) {
	v := contract.Verdict{LLR: 1, Confidence: 1, TTL: time.Minute}
	many := make([]contract.Reason, contract.MaxReasons+1)
	switch o.mode {
	case "nan":
		v.LLR = math.NaN()
	case "inf":
		v.LLR = math.Inf(1)
	case "huge":
		v.LLR = 1e300
	case "sure":
		v.Confidence = 1.5
	case "unsure":
		v.Confidence = math.NaN()
	case "past":
		v.TTL = -time.Second
	case "forever":
		v.TTL = 1000 * time.Hour
	case "both":
		v.Abstained = true
	case "chatty":
		v.Reasons = many
	case "code":
		v.Reasons = []contract.Reason{{Code: "<script>"}}
	case "area":
		v.Reasons = []contract.Reason{{Code: "ZT-POL-010"}}
	case "argument":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: map[string]string{"a": "\x1b[2J"}}}
	case "long":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: map[string]string{"a": strings.Repeat("x", 128<<10)}}}
	case "error":
		return v, errors.New("no")
	case "panic":
		panic("no")
	case "slow":
		<-ctx.Done()
		time.Sleep(time.Hour)
	case "settings", "network":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: reach(ctx)}}
	case "escape":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: escape()}}
	case "features":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: map[string]string{
			"ip": seen.Network, "device": seen.Device, "zone": fmt.Sprint(seen.ZoneMinutes),
		}}}
	case "forks":
		v.Reasons = []contract.Reason{{Code: "ZT-TRU-001", Args: fork()}}
	case "leak":
		leak()
	case "stdout":
		go print(1, strings.Repeat("y\n", 8<<10))
	case "stdoutline":
		go print(1, strings.Repeat("y", 16<<10))
	case "stderr":
		go print(2, strings.Repeat("y\n", 8<<10))
	case "stream":
		go printStream()
	default:
		sayOddly(o.mode, &v)
	}
	return v, nil
}

// escape tries what the sandbox must refuse and tells what worked.
func escape() map[string]string {
	tries := map[string]func() error{
		"read": func() error { _, err := os.ReadFile("/etc/passwd"); return err },
		"list": func() error { _, err := os.ReadDir("/"); return err },
		"write": func() error {
			return os.WriteFile(filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "f"), []byte("x"), 0o600)
		},
		"exec":   func() error { return exec.Command("/bin/true").Run() },
		"tcp":    func() error { return socket(unix.AF_INET, unix.SOCK_STREAM, 0) },
		"mptcp":  func() error { return socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP) },
		"udp":    func() error { return socket(unix.AF_INET6, unix.SOCK_DGRAM, 0) },
		"raw":    func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, 0) },
		"listen": func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"ptrace": func() error { return unix.PtraceAttach(os.Getppid()) },
		"setsid": func() error { _, err := unix.Setsid(); return err },
		"group":  func() error { return unix.Setpgid(0, 0) },
		"kill":   func() error { return unix.Kill(os.Getppid(), unix.SIGKILL) },
		"root":   func() error { return unix.Setuid(0) },
		"space":  func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	}
	worked := map[string]string{}
	for name, try := range tries {
		if try() == nil {
			worked[name] = "worked"
		}
	}
	if len(os.Environ()) > 8 {
		worked["environment"] = fmt.Sprint(len(os.Environ()))
	}
	if len(worked) > contract.MaxReasons {
		return map[string]string{"too": "much"}
	}
	return worked
}

func socket(domain, kind, protocol int) error {
	fd, err := unix.Socket(domain, kind, protocol)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}
