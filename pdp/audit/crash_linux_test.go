package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// crashChild is set in the child, which works in the log's own folder.
const crashChild = "MENSHEN_AUDIT_CRASH"

// TestNothingAcknowledgedIsLostToAKill kills a process that appends, again and
// again on the same log, and looks for all that it had been told is recorded.
func TestNothingAcknowledgedIsLostToAKill(t *testing.T) {
	if os.Getenv(crashChild) != "" {
		appendForEver(t, ".")
		return
	}
	dir := t.TempDir()
	acknowledged := map[uint64]string{}
	for round := range 10 {
		appendUntilKilled(t, dir, round, acknowledged)
		s, err := Verify(dir)
		if err != nil || s.Clean {
			t.Fatalf("after kill %d: %+v, %v", round, s, err)
		}
		got := map[uint64]string{}
		for e, err := range Entries(dir, 0) {
			if err != nil && s.Torn == 0 {
				t.Fatal(err)
			}
			got[e.Sequence] = e.Record.Decision
		}
		for n, id := range acknowledged {
			if got[n] != id {
				t.Fatalf("after kill %d: entry %d is %q, acknowledged was %q", round, n, got[n], id)
			}
		}
	}
	if len(acknowledged) < 100 {
		t.Errorf("only %d entries were acknowledged: this shows little", len(acknowledged))
	}
	l := openLog(t, dir, small())
	closeLog(t, l)
	if s, err := Verify(dir); err != nil || !s.Clean {
		t.Fatalf("%+v, %v", s, err)
	}
}

func appendUntilKilled(t *testing.T, dir string, round int, acknowledged map[uint64]string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), crashChild+"=1")
	child.Dir = dir
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
	lines := bufio.NewScanner(out)
	for said := 0; lines.Scan(); said++ {
		var n uint64
		var id string
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %s", &n, &id); err != nil {
			continue // the test's own words
		}
		whole, ok := strings.CutSuffix(id, ".")
		if !ok {
			continue // cut by the kill
		}
		acknowledged[n] = whole
		if said == 0 {
			kill.Reset(time.Duration(10+17*round) * time.Millisecond)
		}
	}
	_ = child.Wait() // killed
	if child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v", child.ProcessState)
	}
}

// appendForEver runs in the child.
func appendForEver(t *testing.T, dir string) {
	options := small()
	options.SegmentBytes = 32 << 10
	l, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	var out sync.Mutex
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := 0; ; j++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), i, j)
				n, err := l.Append(context.Background(), wire.AuditRecord{Kind: wire.AuditDecision, Decision: id, Detail: make([]byte, 300)})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				out.Lock()
				fmt.Printf("ack %d %s.\n", n, id) // the full stop shows a line that was cut
				out.Unlock()
			}
		})
	}
	all.Wait()
}
