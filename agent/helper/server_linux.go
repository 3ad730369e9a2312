package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/unixsocket"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Config says where the helper listens and whom it answers.
type Config struct {
	// Socket is the path of the Unix socket. Its directory is made if missing
	// and must not be writable by others than root.
	Socket string
	// AgentUID is the agent's user; root may ask as well.
	AgentUID int
	Logger   *slog.Logger
	// EventLog reads the firmware's event log, IMA a piece of the run-time
	// measurement list from an entry's number on.
	EventLog func() ([]byte, error)
	IMA      func(from int) (*wire.IMAPiece, error)
}

// Run answers questions until ctx ends. It needs CAP_NET_ADMIN to read the
// packet filter, and CAP_CHOWN to give the socket to the agent's user.
func Run(ctx context.Context, c Config) error {
	listener, err := unixsocket.Listen(c.Socket, 0o600, c.AgentUID)
	if err != nil {
		return fmt.Errorf("helper: %w", err)
	}
	return newServer(c, &netfilter{sys: os.DirFS("/sys")}).serve(ctx, listener)
}

// firewallReader reads and watches the packet filter.
type firewallReader interface {
	Ruleset() (wire.FirewallRuleset, error)
	// Watch calls ready once when changes are seen from now on, then changed
	// after each, until ctx ends or it fails.
	Watch(ctx context.Context, ready, changed func()) error
}

type server struct {
	config Config
	reader firewallReader
	root   rootReader
	logger *slog.Logger
	// reading keeps one ruleset in memory at a time, and sshd from being started
	// many times at once.
	reading sync.Mutex
	slots   chan struct{}
	hub     hub
}

func newServer(c Config, r firewallReader) *server {
	return &server{
		config: c, reader: r, logger: c.Logger,
		root:  rootReader{files: os.DirFS("/"), sshd: runSSHD},
		slots: make(chan struct{}, maxConnections),
		hub:   hub{settled: make(chan struct{})},
	}
}

// serve owns the listener, every connection and the watch, and ends them all.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	all.Go(func() { s.watch(ctx) })
	s.logger.Info("helper is listening", "socket", listener.Addr().String(), "agent_uid", s.config.AgentUID)
	select {
	case <-s.hub.settled:
	case <-ctx.Done():
	}
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("helper: %w", err)
		}
		select {
		case s.slots <- struct{}{}:
			all.Go(func() {
				defer func() { <-s.slots }()
				s.handle(ctx, conn)
			})
		default:
			s.logger.Warn("too many connections")
			_ = conn.Close()
		}
	}
}

func (s *server) handle(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	uid, err := unixsocket.PeerUID(conn)
	if err != nil || (uid != 0 && int(uid) != s.config.AgentUID) {
		s.logger.Warn("a stranger asked", "uid", uid, "error", err)
		return // no word to strangers
	}
	if err := conn.SetDeadline(time.Now().Add(questionTime)); err != nil {
		return
	}
	line, err := readLine(bufio.NewReaderSize(conn, maxQuestion), maxQuestion)
	if err != nil {
		return
	}
	var q question
	if err := strictjson.Unmarshal(line, &q); err != nil || q.V != version {
		s.say(conn, answer{Problem: "the question is not understood"})
		return
	}
	switch q.Ask {
	case askFirewall:
		s.say(conn, s.firewall())
	case askBaseline:
		s.say(conn, s.rootFacts(ctx))
	case askEventLog:
		s.say(conn, s.eventLog())
	case askIMA:
		s.say(conn, s.ima(q.From))
	case askWatch:
		s.stream(ctx, conn)
	default:
		s.say(conn, answer{Problem: "there is no such question"})
	}
}

func (s *server) firewall() answer {
	s.reading.Lock()
	defer s.reading.Unlock()
	rules, err := s.reader.Ruleset()
	if err != nil {
		s.logger.Warn("reading the packet filter failed", "error", err)
		return answer{Problem: err.Error()}
	}
	return answer{Firewall: &rules}
}

func (s *server) rootFacts(ctx context.Context) answer {
	s.reading.Lock()
	defer s.reading.Unlock()
	facts := s.root.facts(ctx)
	return answer{Root: &facts}
}

// say writes one line; false when the peer is gone.
func (s *server) say(conn net.Conn, a answer) bool {
	line, err := json.Marshal(a)
	if err != nil || len(line) > maxAnswer {
		line = []byte(`{"problem":"the answer is too large"}`)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(questionTime)); err != nil {
		return false
	}
	_, err = conn.Write(append(line, '\n'))
	return err == nil
}

func (s *server) stream(ctx context.Context, conn net.Conn) {
	events, leave := s.hub.join()
	defer leave()
	if !s.hub.standing() {
		s.say(conn, answer{Problem: "the packet filter cannot be watched"})
		return
	}
	gone := hungUp(conn)
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for event := eventReady; ; {
		if !s.say(conn, answer{Event: event}) {
			return
		}
		select {
		case <-gone:
			return
		case <-ctx.Done():
			return
		case _, open := <-events:
			if !open {
				return // the watch broke: the agent asks again and measures
			}
			event = eventFirewall
		case <-alive.C:
			event = eventAlive
		}
	}
}

// hungUp closes its channel when the peer hangs up, or says anything more. The
// connection's Close ends it.
func hungUp(conn net.Conn) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = conn.SetReadDeadline(time.Time{})
		var more [1]byte
		_, _ = conn.Read(more[:])
	}()
	return gone
}

// watch keeps a netlink watch up. When one breaks its streams end, so that the
// agents' watches notice; nothing that changed between two watches is lost,
// because a new stream begins with ready.
func (s *server) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.reader.Watch(ctx, s.hub.up, s.hub.tell)
		s.hub.down()
		if ctx.Err() != nil {
			return
		}
		s.logger.Warn("watching the packet filter failed", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
