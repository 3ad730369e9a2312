//go:build linux

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What host and root launcher say to each other, one packet each. A connection
// is one life of a plugin: when either end closes it, the plugin is killed.
type (
	// launchAsk comes with three descriptors: the plugin's standard output,
	// standard error and report.
	launchAsk struct {
		Name string `json:"name"`
		// SHA256 is what the host has configured. It chooses nothing: another than
		// the launcher's own is refused.
		SHA256 string `json:"sha256"`
	}
	launchAnswer struct {
		PID       int    `json:"pid,omitempty"`
		SocketDir string `json:"socket_dir,omitempty"`
		Refused   string `json:"refused,omitempty"`
		// Ended says how the plugin ended; it is the last packet.
		Ended string `json:"ended,omitempty"`
	}
)

const (
	maxPacket      = 4 << 10
	launchDeadline = 5 * time.Second
)

// launched is a child of the root launcher.
type launched struct {
	conn   *net.UnixConn
	number int
	gone   chan struct{}

	mu     sync.Mutex
	result error
}

// askLauncher has the launcher at a socket start the plugin.
func askLauncher(socket string, launcherUID int, c *Config, theirs pipes) (child, string, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		return nil, "", fmt.Errorf("plugin launcher: %w", err)
	}
	answer, err := launchOver(conn, launcherUID, c, theirs)
	if err != nil {
		_ = conn.Close() // which ends what was started
		return nil, "", fmt.Errorf("plugin launcher: %w", err)
	}
	one := &launched{conn: conn, number: answer.PID, gone: make(chan struct{})}
	go one.wait()
	return one, answer.SocketDir, nil
}

func launchOver(conn *net.UnixConn, launcherUID int, c *Config, theirs pipes) (launchAnswer, error) {
	if err := conn.SetDeadline(time.Now().Add(launchDeadline)); err != nil {
		return launchAnswer{}, err
	}
	peer, err := peerOf(conn)
	if err != nil {
		return launchAnswer{}, err
	}
	if int(peer.Uid) != launcherUID {
		return launchAnswer{}, errors.New("another user than root listens on its socket")
	}
	raw, err := json.Marshal(launchAsk{Name: c.Name, SHA256: c.SHA256})
	if err != nil {
		return launchAnswer{}, err
	}
	var fds []int
	for _, f := range theirs {
		fd := int(f.Fd()) // #nosec G115 -- a descriptor
		if err := unix.SetNonblock(fd, false); err != nil {
			return launchAnswer{}, err
		}
		fds = append(fds, fd)
	}
	if _, _, err := conn.WriteMsgUnix(raw, unix.UnixRights(fds...), nil); err != nil {
		return launchAnswer{}, err
	}
	answer, err := readAnswer(conn)
	switch {
	case err != nil:
		return launchAnswer{}, err
	case answer.Refused != "":
		return launchAnswer{}, errors.New(answer.Refused)
	case answer.PID <= 0 || answer.SocketDir == "":
		return launchAnswer{}, errors.New("an answer that says nothing")
	}
	return answer, conn.SetDeadline(time.Time{})
}

func readAnswer(conn *net.UnixConn) (answer launchAnswer, err error) {
	buffer := make([]byte, maxPacket)
	n, err := conn.Read(buffer)
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(buffer[:n], &answer)
}

// wait hears how the plugin ended. A launcher that goes away took it along.
func (l *launched) wait() {
	answer, err := readAnswer(l.conn)
	if err == nil && answer.Ended != "" {
		err = errors.New(answer.Ended)
	}
	l.mu.Lock()
	l.number, l.result = 0, err
	l.mu.Unlock()
	_ = l.conn.Close()
	close(l.gone)
}

func (l *launched) pid() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.number
}

// kill has the launcher end the group. One that does not answer is not waited for.
func (l *launched) kill() {
	_ = l.conn.CloseWrite()
	_ = l.conn.SetReadDeadline(time.Now().Add(launchDeadline))
}

func (l *launched) ended() <-chan struct{} { return l.gone }

func (l *launched) status() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.result
}
