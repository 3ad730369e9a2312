//go:build linux

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/reason"
)

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A plugin that prints without an end fills neither the host's memory nor its
// log, and the others' answers come as before.
func TestPluginsThatPrintWithoutEnd(t *testing.T) {
	for _, mode := range []string{"stdout", "stdoutline", "stderr", "stream"} {
		t.Run(mode, func(t *testing.T) {
			o, _ := options(t)
			h := start(t, o, program(t, "odd-"+mode), program(t, "odd-fine"))
			before := heap()
			for range 60 {
				if v := h.Assess(t.Context(), seen("192.0.2.7")); v[1].Missing {
					t.Fatalf("the other plugin: %+v", v[1])
				}
			}
			if after := heap(); after > before+32<<20 {
				t.Errorf("the host grew from %d to %d bytes", before, after)
			}
		})
	}
}

// A leak ends the plugin, not the host, and the plugin comes back.
func TestALeakEndsThePluginAlone(t *testing.T) {
	o, e := options(t)
	c := program(t, "odd-leak")
	c.MemoryBytes = 96 << 20
	c.Deadline = 5 * time.Second
	h := start(t, o, c, program(t, "odd-fine"))
	e.wait(t, 2) // both up
	before := heap()
	v := h.Assess(t.Context(), seen("192.0.2.7"))
	if !v[0].Missing || v[0].Reasons[0].Code != reason.PluginDown || v[1].Missing {
		t.Errorf("%+v", v)
	}
	e.wait(t, 4) // down, up
	if after := heap(); after > before+32<<20 {
		t.Errorf("the host grew from %d to %d bytes", before, after)
	}
	if got := h.Status()[0]; got.Falls != 1 {
		t.Errorf("%+v", got)
	}
}

// processesOf returns the processes that run as a user.
func processesOf(t *testing.T, uid int) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range all {
		raw, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(raw), fmt.Sprintf("Uid:\t%d\t", uid)) && !strings.Contains(string(raw), "State:\tZ") {
			found = append(found, file)
		}
	}
	return found
}

// A plugin's children are bounded, and end with it however it ends.
func TestChildrenEndWithTheirPlugin(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root: the plugin's own uid needs it")
	}
	const uid = 64321
	c := program(t, "odd-forks")
	c.UID, c.GID = uid, uid
	c.Deadline = 5 * time.Second
	o, e := options(t)
	h := start(t, o, c)
	v := h.Assess(t.Context(), seen("192.0.2.7"))[0]
	if v.Missing {
		t.Fatalf("%+v", v)
	}
	if children := v.Reasons[0].Args["children"]; children != "32" || len(processesOf(t, uid)) != 33 {
		t.Errorf("%s children, %d processes", children, len(processesOf(t, uid)))
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pidOf(t, h)))
	if err != nil || !strings.Contains(string(limits), "Max processes             256                  256") {
		t.Errorf("its limits (%v):\n%s", err, limits)
	}
	if err := unix.Kill(pidOf(t, h), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.wait(t, 3)
	if left := processesOf(t, uid); len(left) != 1 {
		t.Errorf("besides the new plugin there are %d", len(left)-1)
	}
}

// go-plugin keeps an entry for each connection that a plugin announces, without
// a bound: the host hears of none.
func TestAPluginAnnouncesNoConnections(t *testing.T) {
	o, _ := options(t)
	h := start(t, o, program(t, "odd-broker"))
	before := heap()
	for range 300 {
		if v := h.Assess(t.Context(), seen("192.0.2.7"))[0]; v.Missing || v.LLR != 0 {
			t.Fatalf("it announced connections: %+v", v)
		}
	}
	if after := heap(); after > before+32<<20 {
		t.Errorf("the host grew from %d to %d bytes", before, after)
	}
}
