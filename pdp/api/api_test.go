package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// closedRoutes are those that only active devices may use.
var closedRoutes = map[string]string{
	"/v1/attest/nonce": http.MethodPost, "/v1/attest": http.MethodPost, "/v1/confirm": http.MethodPost, "/v1/inventory": http.MethodPost, "/v1/poll": http.MethodGet,
}

func TestOnlyActiveDevicesAreServed(t *testing.T) {
	f := newFixture(t)
	a := f.agent(t)
	for _, stage := range []struct {
		is   wire.DeviceStatus
		want string
	}{
		{"", reason.DeviceUnknown}, {wire.DevicePending, reason.DeviceWaiting}, {wire.DeviceRetired, reason.DeviceRetired}, {"new", reason.DeviceRetired},
	} {
		if stage.is != "" {
			f.is(a, stage.is)
		}
		for path, method := range closedRoutes {
			wants(t, a.send(t, method, path, "application/json", "{}"), http.StatusForbidden, stage.want)
		}
	}
	if f.behind.count() != 0 || f.behind.standing() != 0 {
		t.Errorf("reached: %v", f.behind.reached)
	}
	if f.Strangers() != uint64(4*len(closedRoutes)) {
		t.Errorf("%d strangers", f.Strangers())
	}
}

// A quarantined device is looked into, so it is heard; one without a TPM is told
// why it waits.
func TestStagesOfALife(t *testing.T) {
	f := newFixture(t)
	a := f.agent(t)
	f.is(a, wire.DeviceQuarantined)
	for path, method := range map[string]string{"/v1/attest/nonce": http.MethodPost, "/v1/attest": http.MethodPost} {
		if answer := a.send(t, method, path, "application/json", "{}"); answer.status == http.StatusForbidden {
			t.Errorf("%s: a quarantined device is not heard", path)
		}
	}
	if f.behind.count() == 0 {
		t.Error("a quarantined device is not heard")
	}
	f.is(a, wire.DevicePending)
	f.behind.mu.Lock()
	for spki, d := range f.behind.devices {
		d.Provenance = wire.ProvenanceSoftware
		f.behind.devices[spki] = d
	}
	f.behind.mu.Unlock()
	wants(t, a.send(t, http.MethodPost, "/v1/attest/nonce", "application/json", "{}"), http.StatusForbidden, reason.DeviceWaitingSoftware)
}

func TestBadRequestsChangeNothing(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	const json = "application/json"
	for _, c := range []struct {
		method, path, kind, body string
		status                   int
		code                     string
	}{
		{"GET", "/v1/attest", "", "", 405, reason.WrongMethod},
		{"POST", "/v1/poll", json, "{}", 405, reason.WrongMethod},
		{"POST", "/v1/attest/", json, "{}", 404, reason.NotFound},
		{"POST", "/v1//attest", json, "{}", 404, reason.NotFound},
		{"GET", "/", "", "", 404, reason.NotFound},
		{"POST", "/v1/attest", "text/plain", "{}", 415, reason.WrongType},
		{"POST", "/v1/attest", "", "{}", 415, reason.WrongType},
		{"POST", "/v1/attest", json, "", 400, reason.BadRequest},
		{"POST", "/v1/attest", json, "[]", 400, reason.BadRequest},
		{"POST", "/v1/attest", json, `{"ticket":"a"} x`, 400, reason.BadRequest},
		{"POST", "/v1/attest", json, `{"ticket":"a","device_id":"dev-1"}`, 400, reason.BadRequest},
		{"POST", "/v1/attest", json, `{"ticket":"a","ticket":"b"}`, 400, reason.BadRequest},
		{"POST", "/v1/attest", json, `{"ticket":1}`, 400, reason.BadRequest},
		{"POST", "/v1/attest", json, `{"ticket":"` + strings.Repeat("a", maxAttest) + `"}`, 413, reason.TooLarge},
		{"POST", "/v1/attest/nonce", json, `{"x":1}`, 400, reason.BadRequest},
		{"POST", "/v1/attest/nonce", json, `{` + strings.Repeat(" ", maxNonce) + `}`, 413, reason.TooLarge},
		{"POST", "/v1/inventory", json, `{"inventory":"` + strings.Repeat("a", maxInventory) + `"}`, 413, reason.TooLarge},
		{"POST", "/v1/remedy", json, `{"command":"cmd-1","device":"dev-1"}`, 400, reason.BadRequest},
		{"POST", "/v1/remedy", json, `{"command":"` + strings.Repeat("a", maxRemedy) + `"}`, 413, reason.TooLarge},
		{"POST", "/v1/confirm", json, `{"nonce":"` + strings.Repeat("a", maxConfirm) + `"}`, 413, reason.TooLarge},
		{"POST", "/v1/enrol/start", json, `{"code":"` + strings.Repeat("a", maxEnrolStart) + `"}`, 413, reason.TooLarge},
		{"POST", "/v1/enrol/start", json, `{"agency":"moda"}`, 400, reason.BadRequest},
		{"POST", "/v1/enrol/finish", json, `{"enrolment":"` + strings.Repeat("a", maxEnrolFinish) + `"}`, 413, reason.TooLarge},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.method, c.path, c.status), func(t *testing.T) {
			wants(t, a.send(t, c.method, c.path, c.kind, c.body), c.status, c.code)
		})
	}
	if f.behind.count() != 0 {
		t.Errorf("reached: %v", f.behind.reached)
	}
}

func TestAllRoutesReachWhatIsBehindThem(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	for path, in := range map[string]any{
		"/v1/enrol/start": wire.EnrolStart{}, "/v1/enrol/finish": wire.EnrolFinish{}, "/v1/attest/nonce": struct{}{},
		"/v1/attest": wire.AttestRequest{}, "/v1/confirm": wire.DeviceConfirmation{}, "/v1/inventory": wire.InventoryReport{},
		"/v1/remedy": wire.RemedyReport{Command: "cmd-1"},
	} {
		wants(t, a.post(t, path, in), http.StatusOK, "")
	}
	wants(t, a.send(t, http.MethodPost, "/v1/attest/nonce", "", ""), http.StatusOK, "") // no body at all
	if f.behind.count() != 8 {
		t.Errorf("reached: %v", f.behind.reached)
	}
	// Whose remedy it was is what the connection says.
	if !slices.Contains(f.behind.reached, "remedy "+deviceID+" cmd-1") {
		t.Errorf("reached: %v", f.behind.reached)
	}
	// Who confirms, and from where, is what the connection says.
	if got := f.behind.confirmed; got.device != deviceID || got.network != "127.0.0.0/24" {
		t.Errorf("confirmed as %+v", got)
	}
}

func TestANonceIsTiedToItsConnection(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	attest := func() bool {
		got := a.post(t, "/v1/attest", wire.AttestRequest{})
		return strings.Contains(string(got.body), `"accepted":true`)
	}
	a.post(t, "/v1/attest/nonce", struct{}{})
	if !attest() {
		t.Error("the same connection is another channel")
	}
	a.http.CloseIdleConnections()
	if attest() {
		t.Error("another connection is the same channel")
	}
}

type told struct {
	code   string
	status int
}

func (e told) Error() string       { return e.code }
func (e told) Reason() wire.Reason { return reason.New(e.code) }

type toldStatus struct{ told }

func (e toldStatus) Status() int { return e.status }

func TestErrorsAreAnsweredByWhatTheyAre(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{told{code: reason.EnrolCodeUnknown}, 403, reason.EnrolCodeUnknown},
		{told{code: reason.EnrolMalformed}, 400, reason.EnrolMalformed},
		{told{code: reason.AuditClosed}, 503, reason.AuditClosed},
		{toldStatus{told{reason.EnrolCodeUnknown, 409}}, 409, reason.EnrolCodeUnknown},
		{fmt.Errorf("x: %w", store.ErrUnavailable), 503, reason.Unavailable},
		{store.ErrIndeterminate, 503, reason.Unavailable},
		{store.ErrConflict, 409, reason.Conflict},
		{errors.New("the password is hunter2"), 500, reason.Internal},
	} {
		f.behind.err = c.err
		for _, path := range []string{"/v1/enrol/start", "/v1/enrol/finish", "/v1/attest/nonce", "/v1/attest", "/v1/confirm", "/v1/inventory", "/v1/remedy"} {
			got := a.post(t, path, struct{}{})
			wants(t, got, c.status, c.code)
			if strings.Contains(string(got.body), "hunter2") {
				t.Error("the inside is shown")
			}
		}
	}
}

func TestThePollIsTheStandingConnection(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	got := make(chan answered)
	go func() { got <- a.send(t, http.MethodGet, "/v1/poll", "", "") }()
	eventually(t, func() bool { return f.behind.standing() == 1 })
	f.behind.commands <- []wire.Command{{ID: "cmd-1", Kind: wire.CommandMeasure}}
	if out := <-got; out.status != 200 || !strings.Contains(string(out.body), "cmd-1") {
		t.Errorf("%d %s", out.status, out.body)
	}
	eventually(t, func() bool { return f.behind.standing() == 0 })

	// An agent that is gone is noticed at once.
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/v1/poll", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if answer, err := a.http.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}()
	eventually(t, func() bool { return f.behind.standing() == 1 })
	cancel()
	<-ended
	eventually(t, func() bool { return f.behind.standing() == 0 })
}

// TestAShutdownDoesNotWaitForPolls: each agent has one out at any time.
func TestAShutdownDoesNotWaitForPolls(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	got := make(chan answered)
	go func() { got <- a.send(t, http.MethodGet, "/v1/poll", "", "") }()
	eventually(t, func() bool { return f.behind.standing() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), wire.PollLife/2)
	defer cancel()
	if err := f.listening.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if out := <-got; out.status != 200 || strings.TrimSpace(string(out.body)) != "{}" {
		t.Errorf("%d %s", out.status, out.body)
	}
}

func TestPollsOfOneDeviceAreBounded(t *testing.T) {
	f := newFixture(t, Limits{PollsPerDevice: 2})
	a := f.known(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{}, 2)
	for range 2 {
		go func() {
			defer func() { ended <- struct{}{} }()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/v1/poll", nil)
			if err != nil {
				return
			}
			if answer, err := a.http.Do(r); err == nil {
				_ = answer.Body.Close()
			}
		}()
	}
	eventually(t, func() bool { return f.behind.standing() == 2 })
	wants(t, a.send(t, http.MethodGet, "/v1/poll", "", ""), http.StatusTooManyRequests, reason.TooMany)
	cancel()
	<-ended
	<-ended
}

func TestAFloodOfEnrolmentsLeavesRoomForDevices(t *testing.T) {
	for name, limits := range map[string]Limits{
		"in all":      {Enrolments: 3, EnrolmentsPerNetwork: 9},
		"per network": {Enrolments: 9, EnrolmentsPerNetwork: 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, limits)
			f.behind.wait = make(chan struct{})
			stranger, device := f.agent(t), f.known(t)
			ended := make(chan answered, 3)
			for range 3 {
				go func() { ended <- stranger.post(t, "/v1/enrol/start", wire.EnrolStart{}) }()
			}
			eventually(t, func() bool {
				f.enrolments.mu.Lock()
				defer f.enrolments.mu.Unlock()
				return f.enrolments.inside[""] == 3
			})
			got := stranger.post(t, "/v1/enrol/start", wire.EnrolStart{})
			wants(t, got, http.StatusTooManyRequests, reason.TooMany)
			if got.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			wants(t, stranger.post(t, "/v1/enrol/finish", wire.EnrolFinish{}), http.StatusTooManyRequests, reason.TooMany)
			wants(t, device.post(t, "/v1/attest/nonce", struct{}{}), http.StatusOK, "")
			close(f.behind.wait)
			for range 3 {
				wants(t, <-ended, http.StatusOK, "")
			}
			wants(t, stranger.post(t, "/v1/enrol/start", wire.EnrolStart{}), http.StatusOK, "")
			if len(f.enrolments.inside)+len(f.networks.inside) != 0 {
				t.Error("places are not given back")
			}
		})
	}
}

// A device that sends its Evidence byte by byte holds its own places only.
func TestSlowDevicesDoNotBlockOthers(t *testing.T) {
	f := newFixture(t, Limits{AttestationsAtOnce: 3})
	slow, other := f.known(t), f.agent(t)
	f.behind.devices[other.spki] = wire.Device{ID: "dev-other", Status: wire.DeviceActive}
	ended := make(chan struct{}, 2)
	var pipes []*io.PipeWriter
	for range 2 {
		body, pipe := io.Pipe()
		pipes = append(pipes, pipe)
		go func() {
			defer func() { ended <- struct{}{} }()
			if answer, err := slow.http.Post(slow.base+"/v1/attest", "application/json", body); err == nil {
				_ = answer.Body.Close()
			}
		}()
		if _, err := pipe.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool {
		f.attesting.mu.Lock()
		defer f.attesting.mu.Unlock()
		return f.attesting.inside[deviceID] == 2
	})
	wants(t, slow.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusTooManyRequests, reason.TooMany)
	wants(t, other.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusOK, "")
	for _, pipe := range pipes {
		_ = pipe.Close()
		<-ended
	}
	wants(t, slow.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusOK, "")
}

func TestAttestationsAreBoundedInAll(t *testing.T) {
	f := newFixture(t, Limits{AttestationsAtOnce: 1})
	a := f.known(t)
	leave, _ := f.attests.enter("")
	wants(t, a.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusTooManyRequests, reason.TooMany)
	leave()
	wants(t, a.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusOK, "")
}

func TestConfirmationsOfOneDeviceAreBounded(t *testing.T) {
	f := newFixture(t)
	a := f.known(t)
	first, _ := f.confirms.enter(deviceID)
	second, _ := f.confirms.enter(deviceID)
	wants(t, a.post(t, "/v1/confirm", wire.DeviceConfirmation{}), http.StatusTooManyRequests, reason.TooMany)
	first()
	second()
	wants(t, a.post(t, "/v1/confirm", wire.DeviceConfirmation{}), http.StatusOK, "")
}

func TestInventoriesAreBoundedInAllAndByDevice(t *testing.T) {
	f := newFixture(t, Limits{InventoriesAtOnce: 1})
	a := f.known(t)
	for _, full := range []struct {
		gate *gate
		who  string
	}{{f.inventories, ""}, {f.listing, deviceID}} {
		leave, _ := full.gate.enter(full.who)
		wants(t, a.post(t, "/v1/inventory", wire.InventoryReport{}), http.StatusTooManyRequests, reason.TooMany)
		leave()
		wants(t, a.post(t, "/v1/inventory", wire.InventoryReport{}), http.StatusOK, "")
	}
}

func TestADeviceCannotAskWithoutEnd(t *testing.T) {
	f := newFixture(t, Limits{AttestBurst: 3})
	now := time.Now()
	f.Clock = func() time.Time { return now }
	a := f.known(t)
	for range 3 {
		wants(t, a.post(t, "/v1/attest/nonce", struct{}{}), http.StatusOK, "")
	}
	wants(t, a.post(t, "/v1/attest/nonce", struct{}{}), http.StatusTooManyRequests, reason.TooMany)
	wants(t, a.post(t, "/v1/attest", wire.AttestRequest{}), http.StatusTooManyRequests, reason.TooMany)
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an API of nothing")
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happened")
		}
	}
}
