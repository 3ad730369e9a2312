package posture

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// recorded builds machines as /proc and /sys show them.
type recorded fstest.MapFS

func (r recorded) file(name, data string) recorded {
	r[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o444}
	return r
}

func (r recorded) link(name, target string) recorded {
	r[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	return r
}

// disk adds a whole disk, number is its major:minor.
func (r recorded) disk(name, number string) recorded {
	return r.block(name, number, "sys/devices/pci0/block/"+name).file("sys/devices/pci0/block/"+name+"/device/vendor", "ATA")
}

func (r recorded) partition(disk, name, number string) recorded {
	dir := "sys/devices/pci0/block/" + disk + "/" + name
	return r.block(name, number, dir).file(dir+"/partition", "1")
}

// mapped adds a device-mapper device standing on others.
func (r recorded) mapped(name, number, dmName, uuid string, slaves ...string) recorded {
	dir := "sys/devices/virtual/block/" + name
	r.block(name, number, dir).file(dir+"/dm/uuid", uuid+"\n").file(dir+"/dm/name", dmName+"\n")
	return r.slaves(dir, slaves)
}

// virtual adds a device without a disk of its own: md, loop.
func (r recorded) virtual(name, number string, slaves ...string) recorded {
	dir := "sys/devices/virtual/block/" + name
	return r.block(name, number, dir).slaves(dir, slaves)
}

func (r recorded) slaves(dir string, slaves []string) recorded {
	r[dir+"/slaves"] = &fstest.MapFile{Mode: fs.ModeDir | 0o555}
	for _, s := range slaves {
		r.link(dir+"/slaves/"+s, "../../"+s)
	}
	return r
}

func (r recorded) block(name, number, dir string) recorded {
	r.link("sys/class/block/"+name, "../../"+strings.TrimPrefix(dir, "sys/"))
	r.link("sys/dev/block/"+number, "../../"+strings.TrimPrefix(dir, "sys/"))
	return r.file(dir+"/uevent", "MAJOR=1\nDEVNAME="+name+"\nDEVTYPE=disk\n").file(dir+"/dev", number)
}

func (r recorded) mounts(lines ...string) recorded {
	return r.file("proc/self/mountinfo", strings.Join(lines, "\n")+"\n")
}

func (r recorded) machine() Machine {
	return Machine{Files: fstest.MapFS(r), Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

func (r recorded) run(measure func(context.Context, Machine) outcome) outcome {
	return measure(context.Background(), r.machine())
}

func expect(t *testing.T, got outcome, state wire.ClaimState, problem string) {
	t.Helper()
	if got.state != state || !strings.Contains(got.problem, problem) {
		t.Errorf("got %+v, want %s with a problem about %q", got, state, problem)
	}
	if got.state == wire.ClaimError && got.problem == "" {
		t.Error("an error without a reason")
	}
}
