package ssf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Delivery methods (SSF 1.0, 6.1).
const (
	Push = "urn:ietf:rfc:8935"
	Poll = "urn:ietf:rfc:8936"
)

// Metadata is a transmitter's configuration (SSF 1.0, 7.1), as far as it is used.
type Metadata struct {
	Version       string              `json:"spec_version"`
	Issuer        string              `json:"issuer"`
	Keys          string              `json:"jwks_uri"`
	Methods       []string            `json:"delivery_methods_supported"`
	Configuration string              `json:"configuration_endpoint"`
	Status        string              `json:"status_endpoint"`
	Verification  string              `json:"verification_endpoint"`
	AddSubject    string              `json:"add_subject_endpoint"`
	RemoveSubject string              `json:"remove_subject_endpoint"`
	Schemes       []map[string]string `json:"authorization_schemes"`
	Subjects      string              `json:"default_subjects"`
}

// Delivery is how a stream's events travel.
type Delivery struct {
	Method        string `json:"method"`
	Endpoint      string `json:"endpoint_url,omitempty"`
	Authorization string `json:"authorization_header,omitempty"`
}

// Stream is a stream's configuration (SSF 1.0, 8.1.1).
type Stream struct {
	ID          string    `json:"stream_id,omitempty"`
	Issuer      string    `json:"iss,omitempty"`
	Audience    string    `json:"aud,omitempty"`
	Supported   []string  `json:"events_supported,omitempty"`
	Requested   []string  `json:"events_requested,omitempty"`
	Delivered   []string  `json:"events_delivered,omitempty"`
	Delivery    *Delivery `json:"delivery,omitempty"`
	Interval    int       `json:"min_verification_interval,omitempty"`
	Description string    `json:"description,omitempty"`
}

// Status is a stream's status (SSF 1.0, 8.1.2).
type Status struct {
	ID     string `json:"stream_id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Client manages one receiver's streams at one transmitter.
type Client struct {
	HTTP   *http.Client
	Secret string
	Metadata
	// Now is the receiver's clock.
	Now  func() time.Time
	keys keys
}

// StatusError is an answer other than the one that was to come.
type StatusError struct {
	Code int
	Body string
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Code, e.Body) }

// Discover reads a transmitter's configuration from its issuer's well-known
// place: between host and path (SSF 1.0, 7.2).
func Discover(ctx context.Context, client *http.Client, issuer, secret string) (*Client, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	c := &Client{HTTP: client, Secret: secret, Now: time.Now}
	u.Path = "/.well-known/ssf-configuration" + strings.TrimSuffix(u.Path, "/")
	if err := getJSON(ctx, client, u.String(), "", &c.Metadata); err != nil {
		return nil, err
	}
	switch {
	case c.Issuer != issuer: // 7.2.3
		return nil, fmt.Errorf("the configuration is of issuer %q", c.Issuer)
	case c.Version < "1_0", len(c.Methods) == 0, len(c.Schemes) == 0: // interoperability profile, 2.3
		return nil, fmt.Errorf("the configuration is not whole: %+v", c.Metadata)
	}
	for _, endpoint := range []string{c.Keys, c.Configuration, c.Status, c.Verification, c.AddSubject, c.RemoveSubject} {
		if !strings.HasPrefix(endpoint, "https://") {
			return nil, fmt.Errorf("endpoint %q", endpoint)
		}
	}
	c.keys, err = fetchKeys(ctx, client, c.Keys)
	return c, err
}

// Create makes a stream (SSF 1.0, 8.1.1.1).
func (c *Client) Create(ctx context.Context, s Stream) (Stream, error) {
	var out Stream
	err := c.call(ctx, http.MethodPost, c.Configuration, s, http.StatusCreated, &out)
	if err == nil && (out.Issuer != c.Issuer || out.ID == "" || out.Audience == "" || out.Delivery == nil || out.Delivery.Endpoint == "") {
		err = fmt.Errorf("the stream's configuration is not whole: %+v", out)
	}
	return out, err
}

// Read reads a stream's configuration (8.1.1.2).
func (c *Client) Read(ctx context.Context, id string) (Stream, error) {
	var out Stream
	return out, c.call(ctx, http.MethodGet, c.Configuration+"?stream_id="+url.QueryEscape(id), nil, http.StatusOK, &out)
}

// List reads all streams' configurations.
func (c *Client) List(ctx context.Context) ([]Stream, error) {
	var out []Stream
	return out, c.call(ctx, http.MethodGet, c.Configuration, nil, http.StatusOK, &out)
}

// Update changes what is named (8.1.1.3), Replace all (8.1.1.4).
func (c *Client) Update(ctx context.Context, s any) (Stream, error) {
	var out Stream
	return out, c.call(ctx, http.MethodPatch, c.Configuration, s, http.StatusOK, &out)
}

// Replace sets the whole configuration.
func (c *Client) Replace(ctx context.Context, s any) (Stream, error) {
	var out Stream
	return out, c.call(ctx, http.MethodPut, c.Configuration, s, http.StatusOK, &out)
}

// Delete ends a stream (8.1.1.5).
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, c.Configuration+"?stream_id="+url.QueryEscape(id), nil, http.StatusNoContent, nil)
}

// StatusOf reads a stream's status (8.1.2.1).
func (c *Client) StatusOf(ctx context.Context, id string) (Status, error) {
	var out Status
	return out, c.call(ctx, http.MethodGet, c.Metadata.Status+"?stream_id="+url.QueryEscape(id), nil, http.StatusOK, &out)
}

// SetStatus changes a stream's status (8.1.2.2).
func (c *Client) SetStatus(ctx context.Context, s Status) (Status, error) {
	var out Status
	return out, c.call(ctx, http.MethodPost, c.Metadata.Status, s, http.StatusOK, &out)
}

// Verify asks for a verification event (8.1.4.2).
func (c *Client) Verify(ctx context.Context, id, state string) error {
	return c.call(ctx, http.MethodPost, c.Verification, map[string]string{"stream_id": id, "state": state}, http.StatusNoContent, nil)
}

// Add has a stream tell of a subject (8.1.3.2), Remove has it tell of it no more
// (8.1.3.3).
func (c *Client) Add(ctx context.Context, id string, subject any) error {
	return c.call(ctx, http.MethodPost, c.AddSubject, map[string]any{"stream_id": id, "subject": subject, "verified": true}, http.StatusOK, nil)
}

// Remove takes a subject out of a stream.
func (c *Client) Remove(ctx context.Context, id string, subject any) error {
	return c.call(ctx, http.MethodPost, c.RemoveSubject, map[string]any{"stream_id": id, "subject": subject}, http.StatusNoContent, nil)
}

// PollRequest is RFC 8936, 2.2.
type PollRequest struct {
	Most      *int                         `json:"maxEvents,omitempty"`
	Immediate bool                         `json:"returnImmediately"`
	Ack       []string                     `json:"ack,omitempty"`
	Errors    map[string]map[string]string `json:"setErrs,omitempty"`
}

// Poll polls a stream and verifies what comes.
func (c *Client) Poll(ctx context.Context, s Stream, in PollRequest) (events map[string]Event, more bool, err error) {
	var out struct {
		Sets map[string]string `json:"sets"`
		More bool              `json:"moreAvailable"`
	}
	if err := c.call(ctx, http.MethodPost, s.Delivery.Endpoint, in, http.StatusOK, &out); err != nil {
		return nil, false, err
	}
	if out.Sets == nil {
		return nil, false, errors.New("no member sets")
	}
	events = map[string]Event{}
	for id, compact := range out.Sets {
		e, err := c.Take(compact, s.Audience)
		if err != nil {
			return nil, false, err
		}
		if e.ID != id {
			return nil, false, fmt.Errorf("%s is named %s", e.ID, id)
		}
		events[id] = e
	}
	return events, out.More, nil
}

// Take verifies one SET.
func (c *Client) Take(compact, audience string) (Event, error) {
	return read(compact, c.keys, c.Issuer, audience, c.Now())
}

func (c *Client) call(ctx context.Context, method, at string, in any, want int, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return do(c.HTTP, request, c.Secret, want, out)
}

func getJSON(ctx context.Context, client *http.Client, at, secret string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	return do(client, request, secret, http.StatusOK, out)
}

func do(client *http.Client, request *http.Request, secret string, want int, out any) error {
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != want {
		return &StatusError{answer.StatusCode, string(raw)}
	}
	if out == nil {
		if len(raw) != 0 {
			return fmt.Errorf("%d has a body: %s", answer.StatusCode, raw)
		}
		return nil
	}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return fmt.Errorf("content type %q", kind)
	}
	return json.Unmarshal(raw, out)
}
