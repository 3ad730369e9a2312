package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const origin = "https://pdp.example.gov.tw"

// pdp keeps what the listener confirmed.
type pdp struct {
	calls  atomic.Int32
	last   wire.DeviceConfirmation
	refuse bool
}

func (p *pdp) Confirm(_ context.Context, c wire.DeviceConfirmation) (wire.DeviceConfirmed, error) {
	p.calls.Add(1)
	p.last = c
	if p.refuse {
		return wire.DeviceConfirmed{}, errors.New("refused")
	}
	return wire.DeviceConfirmed{Accepted: true}, nil
}

type seats struct{ err error }

func (s seats) Check(_, _ netip.AddrPort) error { return s.err }

// serve runs a real listener and returns its address.
func serve(t *testing.T, c Config) string {
	t.Helper()
	if c.Origin == nil {
		c.Origin = func() string { return origin }
	}
	c.Random, c.Logger = rand.Reader, slog.New(slog.NewTextHandler(io.Discard, nil))
	l, err := NewLoopback(c)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// ask is what the sign-in page's fetch sends; change makes it something else.
func ask(t *testing.T, address string, change func(*http.Request)) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/confirm", strings.NewReader(`{"nonce":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Menshen-Ceremony", "1")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}

func TestConfirmationGoesBothWays(t *testing.T) {
	p := new(pdp)
	status, header, body := ask(t, serve(t, Config{PDP: p, Seats: seats{}}), nil)
	var got wire.LocalConfirmed
	if err := json.Unmarshal(body, &got); status != 200 || err != nil {
		t.Fatalf("%d %s", status, body)
	}
	if p.last.Nonce != "n" || p.last.Seat != wire.SeatActive || p.last.Way != wire.BindingFetch || len(p.last.ReturnCode) != 32 {
		t.Errorf("the PDP heard %+v", p.last)
	}
	if bytes.Equal(p.last.ReturnCode, make([]byte, 32)) || got.ReturnCode == "" {
		t.Error("no return code")
	}
	if header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the page may not read the answer: %v", header)
	}
}

func TestSeatNoneIsReported(t *testing.T) {
	p := new(pdp)
	if status, _, _ := ask(t, serve(t, Config{PDP: p}), nil); status != 200 || p.last.Seat != wire.SeatNone {
		t.Errorf("%d, seat %q", status, p.last.Seat)
	}
}

func TestEachCodeIsFresh(t *testing.T) {
	p := new(pdp)
	address := serve(t, Config{PDP: p, Seats: seats{}})
	ask(t, address, nil)
	first := p.last.ReturnCode
	if ask(t, address, nil); bytes.Equal(first, p.last.ReturnCode) {
		t.Error("a return code came twice")
	}
}

func TestRefusals(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	cases := map[string]struct {
		change func(*http.Request)
		seats  Seats
		status int
		code   string
	}{
		"another origin":         {set("Origin", "https://evil.example"), seats{}, 403, reason.LocalWrongOrigin},
		"the origin as a prefix": {set("Origin", origin+".evil.example"), seats{}, 403, reason.LocalWrongOrigin},
		"http origin":            {set("Origin", "http://pdp.example.gov.tw"), seats{}, 403, reason.LocalWrongOrigin},
		"null origin":            {set("Origin", "null"), seats{}, 403, reason.LocalWrongOrigin},
		"no origin":              {func(r *http.Request) { r.Header.Del("Origin") }, seats{}, 403, reason.LocalWrongOrigin},
		"two origins":            {func(r *http.Request) { r.Header.Add("Origin", "https://evil.example") }, seats{}, 403, reason.LocalWrongOrigin},
		"rebound DNS name":       {func(r *http.Request) { r.Host = "pdp.example.gov.tw:47615" }, seats{}, 421, reason.LocalWrongHost},
		"name without port":      {func(r *http.Request) { r.Host = "127.0.0.1" }, seats{}, 421, reason.LocalWrongHost},
		"no ceremony header":     {func(r *http.Request) { r.Header.Del("Menshen-Ceremony") }, seats{}, 403, reason.LocalNotCeremony},
		"other ceremony header":  {set("Menshen-Ceremony", "2"), seats{}, 403, reason.LocalNotCeremony},
		"a same-site page":       {set("Sec-Fetch-Site", "same-site"), seats{}, 403, reason.LocalNotCeremony},
		"a typed address":        {set("Sec-Fetch-Site", "none"), seats{}, 403, reason.LocalNotCeremony},
		"a navigation":           {set("Sec-Fetch-Mode", "navigate"), seats{}, 403, reason.LocalNotCeremony},
		"another user":           {nil, seats{ErrOtherUser}, 403, reason.LocalOtherUser},
		"an unknown user":        {nil, seats{ErrSeatUnknown}, 403, reason.LocalUserUnknown},
		"a form's content type":  {set("Content-Type", "text/plain"), seats{}, 415, reason.WrongType},
		"an unknown field":       {body(`{"nonce":"n","seat":"active"}`), seats{}, 400, reason.BadRequest},
		"a doubled field":        {body(`{"nonce":"n","nonce":"m"}`), seats{}, 400, reason.BadRequest},
		"trailing data":          {body(`{"nonce":"n"} {}`), seats{}, 400, reason.BadRequest},
		"an oversized body":      {body(`{"nonce":"` + strings.Repeat("n", maxBody) + `"}`), seats{}, 413, reason.TooLarge},
		"GET":                    {func(r *http.Request) { r.Method = http.MethodGet }, seats{}, 405, reason.WrongMethod},
		"another path":           {func(r *http.Request) { r.URL.Path = "/" }, seats{}, 404, reason.NotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := new(pdp)
			status, _, body := ask(t, serve(t, Config{PDP: p, Seats: c.seats}), c.change)
			var got problem.Document
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			if status != c.status || got.Code != c.code {
				t.Errorf("got %d %s, want %d %s", status, got.Code, c.status, c.code)
			}
			if p.calls.Load() != 0 {
				t.Error("the PDP was asked all the same")
			}
		})
	}
}

func TestNotEnrolledAnswersNobody(t *testing.T) {
	p := new(pdp)
	address := serve(t, Config{PDP: p, Seats: seats{}, Origin: func() string { return "" }})
	if status, _, _ := ask(t, address, func(r *http.Request) { r.Header.Del("Origin") }); status != 503 || p.calls.Load() != 0 {
		t.Errorf("%d", status)
	}
}

func TestARefusalByThePDPGivesNoCode(t *testing.T) {
	p := &pdp{refuse: true}
	status, _, body := ask(t, serve(t, Config{PDP: p, Seats: seats{}}), nil)
	if status != 502 || bytes.Contains(body, []byte("return_code")) {
		t.Errorf("%d %s", status, body)
	}
}

func TestPreflightIsForTheOneOrigin(t *testing.T) {
	address := serve(t, Config{PDP: new(pdp), Seats: seats{}})
	preflight := func(from string) (int, http.Header) {
		status, header, _ := ask(t, address, func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", from)
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "menshen-ceremony,content-type")
		})
		return status, header
	}
	if status, header := preflight(origin); status != 204 || header.Get("Access-Control-Allow-Origin") != origin ||
		!strings.Contains(header.Get("Access-Control-Allow-Headers"), "Menshen-Ceremony") {
		t.Errorf("%d %v", status, header)
	}
	if status, header := preflight("https://evil.example"); status != 403 || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page: %d %v", status, header)
	}
}
