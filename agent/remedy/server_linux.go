package remedy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/unixsocket"
)

// Run answers until ctx ends. It needs CAP_NET_ADMIN to change the packet
// filter, and CAP_CHOWN to give the socket to the agent's user.
func Run(ctx context.Context, c Config) error {
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return fmt.Errorf("remedy: %w", err)
	}
	listener, err := unixsocket.Listen(c.Socket, 0o600, c.AgentUID)
	if err != nil {
		return fmt.Errorf("remedy: %w", err)
	}
	s := &server{config: c, keeper: newKeeper(c), slots: make(chan struct{}, maxConnections)}
	s.keeper.again(ctx)
	return s.serve(ctx, listener)
}

type server struct {
	config Config
	keeper *keeper
	slots  chan struct{}
}

func (s *server) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	s.config.Logger.Info("remedies are served", "socket", s.config.Socket, "allowed", s.config.Allowed, "agent_uid", s.config.AgentUID)
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("remedy: %w", err)
		}
		select {
		case s.slots <- struct{}{}:
			all.Go(func() {
				defer func() { <-s.slots }()
				s.handle(ctx, conn)
			})
		default:
			s.config.Logger.Warn("too many connections")
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
		s.config.Logger.Warn("a stranger asked", "uid", uid, "error", err)
		return // no word to strangers
	}
	if err := conn.SetReadDeadline(time.Now().Add(questionTime)); err != nil {
		return
	}
	line, err := readLine(conn, maxQuestion)
	if err != nil {
		return
	}
	// What was begun is brought to its end, whoever hangs up or stops this.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), actionTime)
	defer cancel()
	back, err := json.Marshal(s.answer(work, line, int(uid)))
	if err != nil {
		return
	}
	if err := conn.SetWriteDeadline(time.Now().Add(questionTime)); err == nil {
		_, _ = conn.Write(append(back, '\n'))
	}
}

func (s *server) answer(ctx context.Context, line []byte, uid int) answer {
	var q question
	if err := strictjson.Unmarshal(line, &q); err != nil || q.V != version {
		return answer{Problem: ProblemQuestion, Detail: "the question is not understood"}
	}
	var a answer
	var err error
	switch q.Do {
	case DoList:
		a.States, err = s.keeper.list()
	case DoApply:
		err = s.keeper.apply(ctx, q.Remedy, uid)
	case DoUndo:
		// Undoing lowers what protects this machine: the agent, which faces
		// the network, cannot ask for it.
		err = ErrNotAllowed
		if uid == 0 {
			err = s.keeper.undo(ctx, q.Remedy, uid)
		}
	default:
		return answer{Problem: ProblemQuestion, Detail: "there is no such question"}
	}
	if err != nil {
		return answer{Problem: problemOf(err), Detail: err.Error()}
	}
	return a
}
