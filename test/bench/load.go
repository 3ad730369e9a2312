//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	connections = 32
	loadTime    = 2 * time.Second
)

// child is a server in a process of its own, so that its CPU can be told from
// the load's.
type child struct {
	cmd     *exec.Cmd
	address string
	request string   // what the load sends
	expect  string   // what the answer's body must hold
	also    []*child // whose CPU counts too
}

// startServer starts this program again as one of the servers, which keeps its
// files in dir, and waits until it says on its standard output where it listens and what to ask it.
func startServer(ctx context.Context, name, dir string) (*child, error) {
	c, err := launchServer(ctx, name, dir)
	if err != nil {
		return nil, err
	}
	return c, c.ready(ctx)
}

// launchServer is startServer for one that does not answer the load itself.
func launchServer(ctx context.Context, name, dir string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, name) // #nosec G204 -- this program itself
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server %s did not start: %w", name, err), cmd.Wait())
	}
	request, err := lines.ReadString('\n')
	if err != nil {
		return nil, err
	}
	unquoted, err := strconv.Unquote(strings.TrimSpace(request))
	if err != nil {
		return nil, err
	}
	return &child{cmd: cmd, address: strings.TrimSpace(address), request: unquoted}, nil
}

// ready waits until the server answers 200: it may have things to read first.
func (c *child) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		_, err := c.drive(ctx, 10*time.Millisecond)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return ignoreExit(c.cmd.Wait())
}

// cpuPerRequest drives the server over kept-alive connections and returns the
// nanoseconds of CPU that each request cost the server's process.
func (c *child) cpuPerRequest(ctx context.Context) (float64, error) {
	if _, err := c.drive(ctx, loadTime/4); err != nil { // warm
		return 0, err
	}
	before, err := c.cpu()
	if err != nil {
		return 0, err
	}
	served, err := c.drive(ctx, loadTime)
	if err != nil {
		return 0, err
	}
	after, err := c.cpu()
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(served), nil
}

// cpu is what the server has used, with those whose CPU counts too.
func (c *child) cpu() (time.Duration, error) {
	all, err := cpuTime(c.cmd.Process.Pid)
	for _, other := range c.also {
		own, fault := cpuTime(other.cmd.Process.Pid)
		all, err = all+own, errors.Join(err, fault)
	}
	return all, err
}

func (c *child) drive(ctx context.Context, d time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var served atomic.Int64
	var group sync.WaitGroup
	faults := make(chan error, connections)
	for range connections {
		group.Go(func() {
			if err := c.converse(ctx, &served); err != nil {
				faults <- err
			}
		})
	}
	group.Wait()
	close(faults)
	return served.Load(), <-faults
}

// converse sends the request over one connection until the time is up.
func (c *child) converse(ctx context.Context, served *atomic.Int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for ctx.Err() == nil {
		if _, err := conn.Write([]byte(c.request)); err != nil {
			return err
		}
		if err := c.take(reader); err != nil {
			return err
		}
		served.Add(1)
	}
	return nil
}

// take reads one answer. One other than 200, or without what is expected, is an
// error: it would measure something else.
func (c *child) take(reader *bufio.Reader) error {
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), c.expect) {
		return fmt.Errorf("the server answered %s %q %.200s", answer.Status, answer.Header["Menshen-Reason"], body)
	}
	return nil
}

// cpuTime returns the CPU time that a process has used, from utime and stime
// of /proc/PID/stat (proc_pid_stat(5)), in ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(raw), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("unreadable /proc stat")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}
