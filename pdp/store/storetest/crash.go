package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	crashPath  = "MENSHEN_STORETEST_CRASH"
	crashLoops = 10
)

// Crash kills a process that writes to a store with many callers, again and
// again on the same state, and looks for everything that it had been told is
// written. It must be called by a top-level test, which it runs anew in the
// child; open opens the state at path.
func Crash(t *testing.T, open func(path string) (store.Store, error)) {
	if path := os.Getenv(crashPath); path != "" {
		writeForEver(t, open, path)
		return
	}
	path := filepath.Join(t.TempDir(), "state")
	told := &promises{put: map[string]int64{}, taking: map[string]bool{}, taken: map[string]bool{}}
	for loop := range crashLoops {
		told.untilKilled(t, path, time.Duration(10+23*loop)*time.Millisecond)
		s, err := open(path)
		if err != nil {
			t.Fatalf("after kill %d: %v", loop, err)
		}
		told.check(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(told.put) < 100 || len(told.taken) < 10 {
		t.Errorf("only %d puts and %d takes were acknowledged: this shows little", len(told.put), len(told.taken))
	}
}

// promises is what the killed processes had been told.
type promises struct {
	put    map[string]int64
	taking map[string]bool // begun, perhaps done
	taken  map[string]bool
	newest int64
}

func (p *promises) untilKilled(t *testing.T, path string, life time.Duration) {
	t.Helper()
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$") // #nosec G204 -- this very test
	child.Env = append(os.Environ(), crashPath+"="+path)
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = child.Process.Kill() })
	defer kill.Stop()
	first := true
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if p.hear(lines.Text()) && first {
			first = false
			kill.Reset(life)
		}
	}
	_ = child.Wait() // killed
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v", child.ProcessState)
	}
}

// hear notes one line; a line without its full stop was cut by the kill.
func (p *promises) hear(line string) bool {
	words := strings.Fields(line)
	if len(words) != 4 || words[3] != "." {
		return false
	}
	key := words[1]
	switch words[0] {
	case "put":
		var revision int64
		if _, err := fmt.Sscan(words[2], &revision); err != nil {
			return false
		}
		p.put[key] = revision
		p.newest = max(p.newest, revision)
	case "taking":
		p.taking[key] = true
	case "taken":
		p.taken[key] = true
	}
	return true
}

// check compares the promises with what is there. Each Txn wrote a/<key> and
// b/<key>, so that half of one would show.
func (p *promises) check(t *testing.T, s store.Store) {
	t.Helper()
	as, revision := all(t, s, "a/")
	bs, _ := all(t, s, "b/")
	if revision < p.newest {
		t.Fatalf("the store is at %d, %d was acknowledged", revision, p.newest)
	}
	for key, at := range p.put {
		if got, ok := bs[key]; !ok || got != at {
			t.Fatalf("b/%s is at %d, acknowledged was %d", key, got, at)
		}
		got, ok := as[key]
		switch {
		case p.taken[key] && ok:
			t.Fatalf("a/%s was taken, and is back", key)
		case !p.taking[key] && got != at:
			t.Fatalf("a/%s is at %d, acknowledged was %d", key, got, at)
		}
	}
	for key, at := range as {
		if bs[key] != at {
			t.Fatalf("half a Txn: a/%s is at %d, b/%s at %d", key, at, key, bs[key])
		}
	}
	for key := range bs {
		if _, ok := as[key]; !ok && !p.taking[key] {
			t.Fatalf("half a Txn: b/%s stands alone", key)
		}
	}
}

// all reads every record under prefix: revisions by the rest of the key.
func all(t *testing.T, s store.Store, prefix string) (map[string]int64, int64) {
	t.Helper()
	found := map[string]int64{}
	for after := ""; ; {
		page, err := s.Scan(t.Context(), prefix, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			found[strings.TrimPrefix(r.Key, prefix)] = r.Revision
		}
		if after = page.Next; after == "" {
			return found, page.Revision
		}
	}
}

// writeForEver runs in the child.
func writeForEver(t *testing.T, open func(path string) (store.Store, error), path string) {
	s, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	var out sync.Mutex
	say := func(what, key string, revision int64) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf("%s %s %d .\n", what, key, revision)
	}
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := 0; ; j++ {
				if err := writeOne(s, fmt.Sprintf("%d-%d-%d", os.Getpid(), i, j), j%3 == 0, say); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
			}
		})
	}
	callers.Wait()
}

func writeOne(s store.Store, key string, take bool, say func(what, key string, revision int64)) error {
	ctx := context.Background()
	value := make([]byte, 300)
	revision, err := s.Txn(ctx, []store.Compare{{Key: "a/" + key}},
		[]store.Op{{Key: "a/" + key, Value: value}, {Key: "b/" + key, Value: value}})
	if err != nil {
		return err
	}
	say("put", key, revision)
	if !take {
		return nil
	}
	say("taking", key, 0)
	r, err := s.Take(ctx, "a/"+key)
	if err != nil {
		return err
	}
	if r.Revision != revision {
		return errors.New("took another revision")
	}
	say("taken", key, 0)
	return nil
}
