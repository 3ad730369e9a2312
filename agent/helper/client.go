package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Client asks the helper behind one socket. It holds no connection.
type Client struct {
	socket string
}

// NewClient returns a Client for the socket at path.
func NewClient(path string) *Client { return &Client{socket: path} }

// Firewall asks for the packet filter's rules.
func (c *Client) Firewall(ctx context.Context) (wire.FirewallRuleset, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	lines, hangUp, err := c.ask(ctx, question{Ask: askFirewall})
	if err != nil {
		return wire.FirewallRuleset{}, err
	}
	defer hangUp()
	a, err := next(lines)
	if err != nil {
		return wire.FirewallRuleset{}, err
	}
	if a.Firewall == nil {
		return wire.FirewallRuleset{}, fmt.Errorf("%w: an answer without a ruleset", ErrRefused)
	}
	return *a.Firewall, nil
}

// RootFacts asks for what configuration baselines need of root.
func (c *Client) RootFacts(ctx context.Context) (wire.RootFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	lines, hangUp, err := c.ask(ctx, question{Ask: askBaseline})
	if err != nil {
		return wire.RootFacts{}, err
	}
	defer hangUp()
	a, err := next(lines)
	if err != nil {
		return wire.RootFacts{}, err
	}
	if a.Root == nil {
		return wire.RootFacts{}, fmt.Errorf("%w: an answer without facts", ErrRefused)
	}
	return *a.Root, nil
}

// EventLog asks for the firmware's event log; a machine without one has none.
func (c *Client) EventLog(ctx context.Context) ([]byte, error) {
	a, err := c.once(ctx, question{Ask: askEventLog})
	return a.EventLog, err
}

// IMA asks for a piece of the run-time measurement list; a kernel without IMA
// has none.
func (c *Client) IMA(ctx context.Context, from int) (*wire.IMAPiece, error) {
	a, err := c.once(ctx, question{Ask: askIMA, From: from})
	return a.IMA, err
}

// once asks a question that has one answer.
func (c *Client) once(ctx context.Context, what question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	lines, hangUp, err := c.ask(ctx, what)
	if err != nil {
		return answer{}, err
	}
	defer hangUp()
	return next(lines)
}

// Watch calls changed once when the watch stands, so that nothing that changed
// before it is missed, and then whenever the packet filter changes. It returns
// when ctx ends or the helper is gone; it never returns nil.
func (c *Client) Watch(ctx context.Context, changed func()) error {
	lines, hangUp, err := c.ask(ctx, question{Ask: askWatch})
	if err != nil {
		return err
	}
	defer hangUp()
	for {
		a, err := next(lines)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		switch a.Event {
		case eventReady, eventFirewall:
			changed()
		case eventAlive:
		default:
			return fmt.Errorf("%w: unknown event %.40q", ErrRefused, a.Event)
		}
	}
}

// ask sends one question. The connection closes when ctx ends or by hangUp.
func (c *Client) ask(ctx context.Context, what question) (lines *bufio.Reader, hangUp func(), err error) {
	dialer := net.Dialer{Timeout: questionTime}
	conn, err := dialer.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if err := checkServer(conn); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	hangUp = func() {
		stop()
		_ = conn.Close()
	}
	what.V = version
	line, err := json.Marshal(what)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err != nil {
		hangUp()
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return bufio.NewReader(&pacedReader{conn}), hangUp, nil
}

// pacedReader gives up on a helper that misses three heartbeats.
type pacedReader struct{ conn net.Conn }

func (r *pacedReader) Read(p []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(3 * heartbeat)); err != nil {
		return 0, err
	}
	return r.conn.Read(p)
}

func next(lines *bufio.Reader) (answer, error) {
	line, err := readLine(lines, maxAnswer)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var a answer
	if err := strictjson.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if a.Problem != "" {
		return answer{}, fmt.Errorf("%w: %s", ErrRefused, a.Problem)
	}
	return a, nil
}

var errLongLine = errors.New("line too long")

// readLine reads up to and without the next newline, at most limit bytes.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > limit+1 {
			return nil, errLongLine
		}
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
