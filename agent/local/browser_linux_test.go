package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	origin = "https://pdp.example.gov.tw"
	nonce  = "sealed-nonce_0123456789"
)

// pdp keeps what the agent would confirm.
type pdp struct {
	mu        sync.Mutex
	confirmed []wire.DeviceConfirmation
	err       error
}

func (p *pdp) Confirm(_ context.Context, c wire.DeviceConfirmation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirmed = append(p.confirmed, c)
	return p.err
}

type owner struct {
	uid uint32
	err error
}

func (o owner) Owner(netip.AddrPort, netip.AddrPort) (uint32, error) { return o.uid, o.err }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type running struct {
	*pdp
	address string
	browser *Browser
}

// start runs a real listener on a free port.
func start(t *testing.T, change func(*BrowserConfig)) running {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := running{pdp: &pdp{}, address: listener.Addr().String()}
	c := BrowserConfig{
		WebOrigin: origin, Port: listener.Addr().(*net.TCPAddr).Port, Confirmer: r.pdp, Owners: owner{uid: 1000},
		Seats: LogindSeats{Files: seatOf(1000)}, Clock: time.Now, Random: rand.Reader, Logger: quiet(),
	}
	if change != nil {
		change(&c)
	}
	r.browser = NewBrowser(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, r.browser, quiet()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// fetch is what the sign-in page's fetch sends; change makes it something else.
func fetch(t *testing.T, address string, change func(*http.Request)) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/confirm", strings.NewReader(`{"nonce":"`+nonce+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Menshen-Ceremony", "1")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
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

func TestAConfirmationGoesBothWays(t *testing.T) {
	r := start(t, nil)
	for range 2 {
		status, header, body := fetch(t, r.address, nil)
		var got wire.LocalConfirmed
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s, %v", status, body, err)
		}
		sent := r.confirmed[len(r.confirmed)-1]
		if sent.Nonce != nonce || sent.Seat != wire.SeatActive || sent.Way != wire.BindingFetch || len(sent.ReturnCode) != 32 {
			t.Errorf("the PDP got %+v", sent)
		}
		if got.ReturnCode != base64.RawURLEncoding.EncodeToString(sent.ReturnCode) {
			t.Error("the page got another return code than the PDP")
		}
		if header.Get("Access-Control-Allow-Origin") != origin || header.Get("Vary") != "Origin" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", header)
		}
	}
	if bytes.Equal(r.confirmed[0].ReturnCode, r.confirmed[1].ReturnCode) {
		t.Error("a return code came twice")
	}
}

func TestAnOlderBrowserWithoutFetchMetadataIsAnswered(t *testing.T) {
	status, _, body := fetch(t, start(t, nil).address, func(r *http.Request) {
		for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
			r.Header.Del(name)
		}
	})
	if status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// TestRefusals: each request is wrong in one thing alone.
func TestRefusals(t *testing.T) {
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		config func(*BrowserConfig)
		status int
		code   string
		cors   bool // the page may read why
	}{
		"another origin":         {header("Origin", "https://evil.example"), nil, 403, reason.LocalWrongOrigin, false},
		"the origin as a prefix": {header("Origin", origin+".evil.example"), nil, 403, reason.LocalWrongOrigin, false},
		"the origin's port":      {header("Origin", origin+":8443"), nil, 403, reason.LocalWrongOrigin, false},
		"http origin":            {header("Origin", "http://pdp.example.gov.tw"), nil, 403, reason.LocalWrongOrigin, false},
		"null origin":            {header("Origin", "null"), nil, 403, reason.LocalWrongOrigin, false},
		"no origin":              {header("Origin"), nil, 403, reason.LocalWrongOrigin, false},
		"two origins":            {header("Origin", origin, origin), nil, 403, reason.LocalWrongOrigin, false},
		"rebound DNS name":       {func(r *http.Request) { r.Host = "pdp.example.gov.tw:47615" }, nil, 421, reason.LocalWrongHost, false},
		"name without port":      {func(r *http.Request) { r.Host = "127.0.0.1" }, nil, 421, reason.LocalWrongHost, false},
		"another port's name":    {func(r *http.Request) { r.Host = "127.0.0.1:80" }, nil, 421, reason.LocalWrongHost, false},
		"no ceremony header":     {header("Menshen-Ceremony"), nil, 403, reason.LocalNotCeremony, true},
		"other ceremony header":  {header("Menshen-Ceremony", "2"), nil, 403, reason.LocalNotCeremony, true},
		"a same-site page":       {header("Sec-Fetch-Site", "same-site"), nil, 403, reason.LocalFetchOdd, true},
		"a page of its own":      {header("Sec-Fetch-Site", "same-origin"), nil, 403, reason.LocalFetchOdd, true},
		"a typed address":        {header("Sec-Fetch-Site", "none"), nil, 403, reason.LocalFetchOdd, true},
		"a navigation":           {header("Sec-Fetch-Mode", "navigate"), nil, 403, reason.LocalFetchOdd, true},
		"no CORS":                {header("Sec-Fetch-Mode", "no-cors"), nil, 403, reason.LocalFetchOdd, true},
		"an image":               {header("Sec-Fetch-Dest", "image"), nil, 403, reason.LocalFetchOdd, true},
		"another user":           {nil, func(c *BrowserConfig) { c.Owners = owner{uid: 1001} }, 403, reason.LocalOtherUser, true},
		"root":                   {nil, func(c *BrowserConfig) { c.Owners = owner{uid: 0} }, 403, reason.LocalOtherUser, true},
		"an unknown user":        {nil, func(c *BrowserConfig) { c.Owners = owner{err: errNoSocket} }, 403, reason.LocalUserUnknown, true},
		"no logind":              {nil, func(c *BrowserConfig) { c.Seats = LogindSeats{Files: seatsNowhere()} }, 403, reason.LocalUserUnknown, true},
		"another user, listed":   {nil, func(c *BrowserConfig) { c.Seats = NoSeats{Users: []uint32{1001}} }, 403, reason.LocalOtherUser, true},
		"a form's content type":  {header("Content-Type", "text/plain"), nil, 415, reason.WrongType, true},
		"no content type":        {header("Content-Type"), nil, 415, reason.WrongType, true},
		"an unknown field":       {body(`{"nonce":"` + nonce + `","seat":"active"}`), nil, 400, reason.BadRequest, true},
		"a doubled field":        {body(`{"nonce":"` + nonce + `","nonce":"m"}`), nil, 400, reason.BadRequest, true},
		"trailing data":          {body(`{"nonce":"` + nonce + `"}{}`), nil, 400, reason.BadRequest, true},
		"no nonce":               {body(`{}`), nil, 400, reason.BadRequest, true},
		"an odd nonce":           {body(`{"nonce":"aaaaaaaaaaaaaaaaaaa <script>"}`), nil, 400, reason.BadRequest, true},
		"a long nonce":           {body(`{"nonce":"` + strings.Repeat("n", maxNonce+1) + `"}`), nil, 400, reason.BadRequest, true},
		"an oversized body":      {body(`{"nonce":"` + strings.Repeat("n", maxBody) + `"}`), nil, 413, reason.TooLarge, true},
		"GET":                    {func(r *http.Request) { r.Method = http.MethodGet }, nil, 405, reason.WrongMethod, true},
		"PUT":                    {func(r *http.Request) { r.Method = http.MethodPut }, nil, 405, reason.WrongMethod, true},
		"another path":           {func(r *http.Request) { r.URL.Path = "/v1/status" }, nil, 404, reason.NotFound, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c.config)
			status, got, answer := fetch(t, r.address, c.change)
			var d problem.Document
			if err := json.Unmarshal(answer, &d); err != nil {
				t.Fatalf("%d %s: %v", status, answer, err)
			}
			if status != c.status || d.Code != c.code {
				t.Errorf("got %d %s, want %d %s", status, d.Code, c.status, c.code)
			}
			if cors := got.Get("Access-Control-Allow-Origin"); (cors == origin) != c.cors || (cors != "" && cors != origin) {
				t.Errorf("Access-Control-Allow-Origin %q", cors)
			}
			if len(r.confirmed) != 0 {
				t.Error("the PDP was asked all the same")
			}
		})
	}
}

func TestSeatNoneIsReported(t *testing.T) {
	for _, users := range [][]uint32{nil, {1000}} {
		r := start(t, func(c *BrowserConfig) { c.Seats = NoSeats{Users: users} })
		if status, _, _ := fetch(t, r.address, nil); status != 200 || r.confirmed[0].Seat != wire.SeatNone {
			t.Errorf("%d, %+v", status, r.confirmed)
		}
	}
}

type coded struct{}

func (coded) Error() string       { return "coded" }
func (coded) Reason() wire.Reason { return reason.New(reason.PDPUnreachable) }

func TestAFailedConfirmationGivesNoReturnCode(t *testing.T) {
	for want, err := range map[string]error{reason.PDPUnreachable: coded{}, reason.AgentInternal: errors.New("x")} {
		r := start(t, nil)
		r.err = err
		status, _, body := fetch(t, r.address, nil)
		if status != http.StatusBadGateway || !strings.Contains(string(body), want) || strings.Contains(string(body), "return_code") {
			t.Errorf("%d %s", status, body)
		}
	}
}

type noRandom struct{}

func (noRandom) Read([]byte) (int, error) { return 0, errors.New("no random") }

func TestWithoutRandomnessNothingIsConfirmed(t *testing.T) {
	r := start(t, func(c *BrowserConfig) { c.Random = noRandom{} })
	if status, _, _ := fetch(t, r.address, nil); status != 500 || len(r.confirmed) != 0 {
		t.Errorf("%d, %d confirmed", status, len(r.confirmed))
	}
}

func TestTooManyConfirmations(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := start(t, func(c *BrowserConfig) { c.Clock = func() time.Time { return now } })
	for i := range perMinute {
		if status, _, body := fetch(t, r.address, nil); status != 200 {
			t.Fatalf("%d: %d %s", i, status, body)
		}
	}
	if status, _, _ := fetch(t, r.address, nil); status != http.StatusTooManyRequests {
		t.Errorf("%d", status)
	}
	now = now.Add(time.Minute)
	if status, _, _ := fetch(t, r.address, nil); status != 200 {
		t.Errorf("a minute later: %d", status)
	}
}

func TestPreflight(t *testing.T) {
	r := start(t, nil)
	preflight := func(from, method, headers string, private bool) (int, http.Header) {
		status, header, _ := fetch(t, r.address, func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", from)
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", headers)
			if private {
				r.Header.Set("Access-Control-Request-Private-Network", "true")
			}
		})
		return status, header
	}
	status, header := preflight(origin, "POST", "content-type,menshen-ceremony", true)
	if status != 204 || header.Get("Access-Control-Allow-Origin") != origin || header.Get("Access-Control-Allow-Methods") != "POST" ||
		header.Get("Access-Control-Allow-Headers") != "content-type, menshen-ceremony" || header.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("%d %v", status, header)
	}
	if _, header := preflight(origin, "POST", "content-type,menshen-ceremony", false); header.Get("Access-Control-Allow-Private-Network") != "" {
		t.Error("private network granted unasked")
	}
	if status, header := preflight("https://evil.example", "POST", "content-type", true); status != 403 || header.Get("Access-Control-Allow-Origin") != "" || header.Get("Access-Control-Allow-Private-Network") != "" {
		t.Errorf("a foreign page: %d %v", status, header)
	}
	if status, _ := preflight(origin, "DELETE", "", false); status != 403 {
		t.Errorf("another method: %d", status)
	}
	if status, _ := preflight(origin, "POST", "content-type,authorization", false); status != 403 {
		t.Errorf("another header: %d", status)
	}
}

func TestTheListenerWaitsForItsPort(t *testing.T) {
	squatter, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	states, ended := make(chan error, 10), make(chan struct{})
	go func() {
		defer close(ended)
		ServeBrowser(ctx, squatter.Addr().(*net.TCPAddr).Port, http.NotFoundHandler(), quiet(), func(err error) { states <- err })
	}()
	if err := <-states; err == nil {
		t.Error("it listens on a taken port")
	}
	_ = squatter.Close()
	if err := <-states; err != nil {
		t.Errorf("the port is free: %v", err)
	}
	cancel()
	<-ended
}
