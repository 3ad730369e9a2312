package pdp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	loadOrder = "MENSHEN_LOAD"
	people    = 4    // known sessions that ask at one time
	strangers = 2000 // sign-ins at one time
	resetters = 4
)

// loadOf is what a process that makes load is told.
type loadOf struct {
	Role                                         string
	For                                          time.Duration
	Web, Proxies, Origin, Secret, Cookie, Handle string
}

// seen is what it saw.
type seen struct {
	Granted, Shed, Odd int
	Example            string // of what is odd
	P50, P99           time.Duration
}

// TestAsLoad is the process that makes load; by itself it has nothing to do.
func TestAsLoad(t *testing.T) {
	order := os.Getenv(loadOrder)
	if order == "" {
		return
	}
	var l loadOf
	must(t, json.Unmarshal([]byte(order), &l))
	ctx, cancel := context.WithTimeout(t.Context(), l.For)
	defer cancel()
	what := map[string]func(context.Context) seen{"known": l.known, "sign-ins": l.signIns, "resets": l.resets}[l.Role](ctx)
	must(t, json.NewEncoder(os.Stdout).Encode(what))
	os.Exit(0) // nothing follows on standard output
}

// peer is a client of the PDP's ports; it trusts their certificates unseen.
func peer(connections int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // #nosec G402 -- a test's client
}

// tallied asks again and again, from so many at once, until ctx ends.
func tallied(ctx context.Context, many int, pause time.Duration, ask func(*http.Client) (int, http.Header, error)) seen {
	var (
		what  seen
		times []time.Duration
		mu    sync.Mutex
		all   sync.WaitGroup
	)
	client := peer(many)
	note := func(status int, header http.Header, err error, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case status == http.StatusOK && err == nil:
			what.Granted++
			times = append(times, took)
		case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
			what.Shed++
		case ctx.Err() == nil:
			what.Odd++
			what.Example = fmt.Sprint(status, " ", header["Menshen-Reason"], err)
		}
	}
	for range many {
		all.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				status, header, err := ask(client)
				note(status, header, err, time.Since(began))
				time.Sleep(pause)
			}
		})
	}
	all.Wait()
	what.P50, what.P99 = percentile(times, .5), percentile(times, .99)
	return what
}

func percentile(times []time.Duration, share float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(share*float64(len(times))))].Round(10 * time.Microsecond)
}

func (l loadOf) known(ctx context.Context) seen {
	return tallied(ctx, people, 2*time.Millisecond, func(c *http.Client) (int, http.Header, error) {
		return l.asks(context.WithoutCancel(ctx), c, "/forward-auth")
	})
}

// asks sends what the portal's proxy sends.
func (l loadOf) asks(ctx context.Context, client *http.Client, path string) (int, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.Proxies+path, nil)
	if err != nil {
		return 0, nil, err
	}
	for name, value := range map[string]string{"Menshen-Portal-Secret": l.Secret, "X-Original-Method": "GET", "X-Original-URI": "/", "X-Real-IP": "192.0.2.10",
		"Cookie": "__Host-menshen-session=" + l.Cookie, "Sec-Fetch-Mode": "navigate"} {
		r.Header.Set(name, value)
	}
	return sent(client, r)
}

func (l loadOf) signIns(ctx context.Context) seen {
	return tallied(ctx, strangers, 0, func(c *http.Client) (int, http.Header, error) { return l.signIn(ctx, c) })
}

// signIn takes the first step of a sign-in on the PDP's own page.
func (l loadOf) signIn(ctx context.Context, client *http.Client) (int, http.Header, error) {
	body, err := json.Marshal(map[string]string{"handle": l.Handle})
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.Web+"/ceremony/sign-in/start", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", l.Origin)
	return sent(client, r)
}

func sent(client *http.Client, r *http.Request) (int, http.Header, error) {
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Header, err
}

func (l loadOf) resets(ctx context.Context) seen {
	var flood sync.WaitGroup
	for range resetters {
		flood.Go(func() {
			for ctx.Err() == nil {
				_ = reset(ctx, l.Web) // the server hangs up when it has had enough
			}
		})
	}
	flood.Wait()
	return seen{}
}

// reset opens streams and resets them until the server hangs up.
func reset(ctx context.Context, address string) error {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}} // #nosec G402 -- a test's client
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := fmt.Fprint(conn, http2.ClientPreface); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for stream := uint32(1); stream < 1<<20 && ctx.Err() == nil; stream += 2 {
		block.Reset()
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "pdp.test"}, {":path", "/sign-in"}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				return err
			}
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
			return err
		}
		if err := framer.WriteRSTStream(stream, http2.ErrCodeCancel); err != nil {
			return err
		}
	}
	return nil
}
