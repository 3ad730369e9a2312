// Package client calls the administrators' Unix socket: its messages and a
// typed client. It builds on every system, though the socket exists on the
// PDP's machine alone.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Problem is what went wrong, as a person may read it: on the way to the PDP,
// or by its word.
type Problem struct {
	Why wire.Reason
	// Document is set where the PDP answered with one, in the client's language.
	Document *problem.Document
	cause    error
}

func (p *Problem) Error() string {
	if p.Document != nil {
		return "admin: " + p.Document.Code + ": " + p.Document.Detail
	}
	return fmt.Sprintf("admin: %s: %v", p.Why.Code, p.cause)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// Unreachable reports whether the PDP could not be asked at all.
func (p *Problem) Unreachable() bool {
	return p.Document == nil && p.Why.Code != reason.CfgStrangeAnswer
}

// Client calls one PDP's socket.
type Client struct {
	socket   string
	language reason.Language
	http     *http.Client
}

// New returns a client of the socket at this path, which wants to read in
// this language.
func New(socket string, language reason.Language) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Client{socket: socket, language: language, http: &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// call sends in (nil for none) and reads the answer into out. Every error is a
// *Problem.
func call[Out any](ctx context.Context, c *Client, method, path string, in any) (Out, error) {
	var out Out
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return out, c.strange(err)
		}
		body = bytes.NewReader(raw)
	}
	answer, err := c.ask(ctx, method, path, body)
	if err != nil {
		return out, err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return out, c.unreachable(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, c.strange(err)
	}
	return out, nil
}

// ask returns an answer that is no refusal; its body is the caller's to close.
func (c *Client) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://menshen"+path, body)
	if err != nil {
		return nil, c.strange(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Language", string(c.language))
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	var d problem.Document
	if err := json.Unmarshal(raw, &d); err != nil || d.Code == "" {
		return nil, c.strange(fmt.Errorf("status %d", answer.StatusCode))
	}
	return nil, &Problem{Why: wire.Reason{Code: d.Code}, Document: &d}
}

// stream copies an answer of any length to w.
func (c *Client) stream(ctx context.Context, path string, w io.Writer) error {
	answer, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return c.strange(err) // it broke off, or w did
	}
	return nil
}

func (c *Client) strange(err error) *Problem {
	return &Problem{Why: reason.New(reason.CfgStrangeAnswer, "detail", err.Error()), cause: err}
}

func (c *Client) unreachable(err error) *Problem {
	switch {
	case runtime.GOOS != "linux":
		return &Problem{Why: reason.New(reason.CfgNoSocketHere, "os", runtime.GOOS), cause: err}
	case errors.Is(err, fs.ErrPermission):
		return &Problem{Why: reason.New(reason.CfgSocketDenied, "path", c.socket), cause: err}
	default:
		return &Problem{Why: reason.New(reason.CfgNoSocket, "path", c.socket), cause: err}
	}
}

func under(agency, what string) string {
	return "/v1/agencies/" + url.PathEscape(agency) + "/" + what
}

// person is the path of a person named by id, or by account in an agency.
func person(agency, name, verb string) string {
	return one("people", agency, name, verb)
}

func one(noun, agency, name, verb string) string {
	path := "/v1/" + noun + "/" + url.PathEscape(name)
	if verb != "" {
		path += "/" + verb
	}
	if agency != "" {
		path += "?agency=" + url.QueryEscape(agency)
	}
	return path
}
