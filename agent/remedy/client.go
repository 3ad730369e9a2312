package remedy

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
)

// Client asks the remedy process.
type Client struct{ socket string }

// NewClient returns a client of the process at a socket.
func NewClient(socket string) *Client { return &Client{socket} }

// List returns where each remedy stands.
func (c *Client) List(ctx context.Context) ([]State, error) {
	a, err := c.ask(ctx, question{V: version, Do: DoList})
	return a.States, err
}

// Apply applies a remedy that is allowed.
func (c *Client) Apply(ctx context.Context, name Name) error {
	_, err := c.ask(ctx, question{V: version, Do: DoApply, Remedy: name})
	return err
}

// Undo restores what was there before a remedy.
func (c *Client) Undo(ctx context.Context, name Name) error {
	_, err := c.ask(ctx, question{V: version, Do: DoUndo, Remedy: name})
	return err
}

func (c *Client) ask(ctx context.Context, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTime+questionTime)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: questionTime}).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer func() { _ = conn.Close() }()
	if err := checkServer(conn); err != nil {
		return answer{}, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := json.Marshal(q)
	if err != nil {
		return answer{}, fmt.Errorf("remedy: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	back, err := readLine(conn, maxAnswer)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var a answer
	if err := strictjson.Unmarshal(back, &a); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return a, a.err()
}

func (a answer) err() error {
	var cause error
	switch a.Problem {
	case "":
		return nil
	case ProblemNotAllowed:
		cause = ErrNotAllowed
	case ProblemNothing:
		cause = ErrNothing
	default:
		cause = ErrFailed
	}
	if a.Detail == "" {
		return cause
	}
	return fmt.Errorf("%w: %s", cause, a.Detail)
}

var errLongLine = errors.New("remedy: a line is too long")

// readLine reads one line of bounded length.
func readLine(r io.Reader, limit int) ([]byte, error) {
	line, err := bufio.NewReaderSize(r, limit).ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errLongLine
	}
	return line, err
}
