package signals

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/test/ssf"
)

// next is the next request that a pushed receiver got.
func next(t *testing.T, box *ssf.Inbox) ssf.Got {
	t.Helper()
	select {
	case g := <-box.Got():
		if g.Err != nil {
			t.Fatal(g.Err)
		}
		return g
	case <-t.Context().Done():
	}
	t.Fatal("nothing came")
	return ssf.Got{}
}

// accepted skips what was not answered with 202.
func accepted(t *testing.T, box *ssf.Inbox) ssf.Event {
	t.Helper()
	for {
		if g := next(t, box); g.Answered == http.StatusAccepted {
			return g.Event
		}
	}
}

func TestPushRoundTrip(t *testing.T) {
	w := newWorld(t, nil)
	box, at := w.inbox()
	box.Authorization = "Bearer theirs"
	c := w.client("moda", "siem", strings.TrimSuffix(at, "events"))
	s := w.create(c, ssf.Stream{Delivery: &ssf.Delivery{Method: ssf.Push, Endpoint: at, Authorization: "Bearer theirs"}})
	box.Take = func(compact string) (ssf.Event, error) { return c.Take(compact, s.Audience) }
	w.must(c.Verify(t.Context(), s.ID, "mine"))
	if e := accepted(t, box); e.Text("state") != "mine" {
		t.Fatalf("%+v", e)
	}
	one := w.somebody("moda")
	w.revoke(one)
	e := accepted(t, box)
	if e.Type != ssf.Prefix+"session-revoked" || e.Member("session") != one.ID || e.Member("user") != c.Issuer+" "+one.Person ||
		e.Member("device") != c.Issuer+" "+one.Device || e.Member("tenant") != "moda" || e.Text("initiating_entity") != "admin" {
		t.Fatalf("%+v", e)
	}
	if _, _, err := c.Poll(t.Context(), ssf.Stream{ID: s.ID, Delivery: &ssf.Delivery{Endpoint: c.Issuer + "/ssf/poll/" + s.ID}}, ssf.PollRequest{Immediate: true}); statusOf(err) != http.StatusNotFound {
		t.Error("a pushed stream is polled:", err)
	}
}

// Whatever the receiver answers, the events come in order, and none is lost.
func TestPushRetriesInOrder(t *testing.T) {
	w := newWorld(t, nil)
	_, s, box := w.pushed("moda", "siem")
	trap := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer trap.Close()
	held := make(chan struct{})
	close(held)
	answers := []ssf.Answer{
		{Status: http.StatusInternalServerError}, {Status: 0}, {Status: http.StatusOK}, {Status: http.StatusNoContent}, {Status: http.StatusNotFound},
		{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {trap.URL}}},
		{Status: http.StatusFound, Header: http.Header{"Location": {trap.URL}}},
		{Status: http.StatusBadRequest}, {Status: http.StatusBadRequest, Body: "not JSON"},
		{Status: http.StatusBadRequest, Body: `{"err":"invalid_key","description":"cache"}`},
		{Status: http.StatusBadRequest, Body: `{"err":"authentication_failed"}`},
		{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"0"}}}, {Status: http.StatusUnauthorized},
		{Status: http.StatusAccepted, Hold: held},
	}
	box.Next(answers...)
	var sent []string
	for range 5 {
		one := w.somebody("moda")
		sent = append(sent, one.ID)
		w.revoke(one)
	}
	for i, a := range answers[:len(answers)-1] {
		if g := next(t, box); g.Answered != a.Status || g.Event.Member("session") != sent[0] {
			t.Fatalf("attempt %d: %d for %s", i, g.Answered, g.Event.Member("session"))
		}
	}
	var got []string
	for range sent {
		got = append(got, accepted(t, box).Member("session"))
	}
	if !slices.Equal(got, sent) {
		t.Errorf("came as %v, sent as %v", got, sent)
	}
	w.drained(s.ID)
	if len(w.recorded("event-refused")) != 0 {
		t.Error("an event was given up")
	}
}

// drained waits until a stream holds nothing any more.
func (w *world) drained(id string) {
	w.t.Helper()
	for w.held(id) > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (w *world) held(id string) int {
	w.tx.mu.RLock()
	s := w.tx.streams[id]
	w.tx.mu.RUnlock()
	return s.shown().Pending
}

// An event that the receiver refuses for itself is recorded and gives way.
func TestRefusedEventIsRecorded(t *testing.T) {
	w := newWorld(t, nil)
	_, s, box := w.pushed("moda", "siem")
	box.Next(ssf.Answer{Status: http.StatusBadRequest, Body: `{"err":"invalid_request","description":"<script>"}`})
	first, second := w.somebody("moda"), w.somebody("moda")
	w.revoke(first)
	bad := next(t, box).Event
	w.revoke(second)
	if e := accepted(t, box); e.Member("session") != second.ID {
		t.Fatalf("%+v", e)
	}
	if got := w.recorded("event-refused"); len(got) != 1 || got[0]["jti"] != bad.ID || got[0]["err"] != "invalid_request" || got[0]["stream"] != s.ID || got[0]["agency"] != "moda" {
		t.Errorf("%v", got)
	}
}

// A receiver that stays away has its stream paused; what happens is held, and
// comes in order once it enables the stream again.
func TestGivingUpPausesTheStream(t *testing.T) {
	w := newWorld(t, func(l *Limits) { l.GiveUp = time.Hour })
	c, s, box := w.pushed("moda", "siem")
	box.Next(slices.Repeat([]ssf.Answer{{Status: http.StatusInternalServerError}}, 500)...)
	one := w.somebody("moda")
	w.revoke(one)
	for range 2 { // the second proves that the first failure was noted
		next(t, box)
	}
	w.pass(2 * time.Hour)
	for next(t, box).Event.Type != ssf.FrameworkPrefix+"stream-updated" {
	}
	box.Recover()
	if e := accepted(t, box); e.Type != ssf.FrameworkPrefix+"stream-updated" || e.Text("status") != "paused" {
		t.Fatalf("%+v", e)
	}
	got, err := c.StatusOf(t.Context(), s.ID)
	if err != nil || got.Status != "paused" || !strings.Contains(got.Reason, "answered 500") {
		t.Fatalf("%+v %v", got, err)
	}
	if len(w.recorded("stream-paused")) != 1 {
		t.Error("not on record")
	}
	another := w.somebody("moda")
	w.revoke(another)
	w.settled()
	w.crash()
	if got, _ := c.StatusOf(t.Context(), s.ID); got.Status != "paused" {
		t.Fatal("a restart enabled it")
	}
	_, err = c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "enabled"})
	w.must(err)
	for _, want := range []Session{one, another} {
		if e := accepted(t, box); e.Member("session") != want.ID {
			t.Fatalf("%+v", e)
		}
	}
}

// settled waits until every change that was told has become events.
func (w *world) settled() {
	w.t.Helper()
	done := make(chan struct{})
	w.tx.intake.add(func() bool {
		w.tx.intake.list = append(w.tx.intake.list, func(context.Context, *Transmitter) (note, error) { close(done); return note{}, nil })
		return true
	})
	<-done
}

// Poll: acknowledged events go, others come again, also after kill -9.
func TestPollRedeliversUntilAcknowledged(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	if got, more, err := c.Poll(t.Context(), s, ssf.PollRequest{Immediate: true}); err != nil || len(got) != 0 || more {
		t.Fatal(got, more, err)
	}
	sessions := []Session{w.somebody("moda"), w.somebody("moda"), w.somebody("moda")}
	for _, one := range sessions {
		w.revoke(one)
	}
	w.settled()
	two := 2
	got, more, err := c.Poll(t.Context(), s, ssf.PollRequest{Most: &two})
	if err != nil || len(got) != 2 || !more {
		t.Fatal(len(got), more, err)
	}
	w.crash()
	again, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Most: &two})
	if err != nil || !sameIDs(got, again) {
		t.Fatal("other events after a crash", err)
	}
	var first string
	for id, e := range again {
		if e.Member("session") == sessions[0].ID {
			first = id
		}
	}
	rest, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Ack: []string{first, "unheard"}})
	if err != nil || len(rest) != 2 || rest[first].ID != "" {
		t.Fatalf("%v %v", rest, err)
	}
	w.crash()
	var refused, ok string
	for id, e := range w.poll(c, s) {
		if e.Member("session") == sessions[1].ID {
			refused = id
		} else {
			ok = id
		}
	}
	none, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Ack: []string{ok}, Errors: map[string]map[string]string{refused: {"err": "invalid_audience", "description": "x"}}, Immediate: true})
	if err != nil || len(none) != 0 {
		t.Fatal(none, err)
	}
	if got := w.recorded("event-refused"); len(got) != 1 || got[0]["jti"] != refused || got[0]["err"] != "invalid_audience" {
		t.Error(got)
	}
	w.crash()
	if w.held(s.ID) != 0 {
		t.Error("acknowledged events came back")
	}
}

func sameIDs(a, b map[string]ssf.Event) bool {
	for id := range a {
		if _, there := b[id]; !there {
			return false
		}
	}
	return len(a) == len(b)
}

// A long poll ends when something happens, and by itself.
func TestLongPoll(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	type answer struct {
		got map[string]ssf.Event
		err error
	}
	answers := make(chan answer)
	for range mostPolls {
		go func() {
			got, _, err := c.Poll(t.Context(), s, ssf.PollRequest{})
			answers <- answer{got, err}
		}()
	}
	w.tx.mu.RLock()
	one := w.tx.streams[s.ID]
	w.tx.mu.RUnlock()
	for waiting := 0; waiting < mostPolls; {
		one.mu.Lock()
		waiting = one.polls
		one.mu.Unlock()
	}
	if _, _, err := c.Poll(t.Context(), s, ssf.PollRequest{}); statusOf(err) != http.StatusTooManyRequests {
		t.Error("polls are not bounded:", err)
	}
	w.revoke(w.somebody("moda"))
	for range mostPolls {
		if a := <-answers; a.err != nil || len(a.got) != 1 {
			t.Error(a.got, a.err)
		}
	}
	short := newWorld(t, func(l *Limits) { l.Poll = time.Millisecond })
	c = short.client("moda", "siem")
	if got := short.poll(c, short.create(c, ssf.Stream{})); len(got) != 0 {
		t.Error(got)
	}
}

// A stream that is full is paused, says so, and counts what it does not keep.
func TestOverflowIsTold(t *testing.T) {
	w := newWorld(t, func(l *Limits) { l.Pending = 2 })
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	kept := []Session{w.somebody("moda"), w.somebody("moda")}
	for _, one := range append(slices.Clone(kept), w.somebody("moda"), w.somebody("moda")) {
		w.revoke(one)
	}
	w.settled()
	told := w.one(c, s) // paused: only what tells of itself
	if told.Type != ssf.FrameworkPrefix+"stream-updated" || told.Text("status") != "paused" || !strings.Contains(told.Text("reason"), "not kept") {
		t.Fatalf("%+v", told)
	}
	if got, _ := c.StatusOf(t.Context(), s.ID); got.Status != "paused" || got.Reason == "" {
		t.Fatalf("%+v", got)
	}
	if got := w.recorded("stream-full"); len(got) != 1 {
		t.Error(got)
	}
	if got := w.tx.Receivers("moda")[0].Streams[0].Missed; got != 2 {
		t.Error("missed", got)
	}
	_, err := c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "enabled"})
	w.must(err)
	var types []string
	for _, e := range w.poll(c, s) {
		types = append(types, e.Type)
		if e.Type == ssf.FrameworkPrefix+"stream-updated" && (e.Text("status") != "enabled" || !strings.HasPrefix(e.Text("reason"), "2 events")) {
			t.Errorf("%+v", e)
		}
	}
	if len(types) != 3 {
		t.Error(types)
	}
}

// Changes that could not even be taken in pause every stream.
func TestLostChangesPauseEveryStream(t *testing.T) {
	w := newWorld(t, func(l *Limits) { l.Intake = 2 })
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	w.breakStore(errStore)
	for range 10 {
		w.revoke(Session{ID: "ses-x", Agency: "moda"})
	}
	w.breakStore(nil)
	for {
		got, err := c.StatusOf(t.Context(), s.ID)
		w.must(err)
		if got.Status == "paused" && strings.Contains(got.Reason, "could not be taken in") {
			return
		}
	}
}

// A store that fails for a while loses nothing.
func TestAFailingStoreDelaysOnly(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	one := w.somebody("moda")
	w.breakStore(errStore)
	w.revoke(one)
	w.breakStore(nil)
	if e := w.one(c, s); e.Member("session") != one.ID {
		t.Fatalf("%+v", e)
	}
}

func TestStatusesOfAStream(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	set := func(status string) {
		got, err := c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: status, Reason: "as I like"})
		if err != nil || got.Status != status {
			t.Fatal(got, err)
		}
	}
	now := func() int {
		w.settled()
		got, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Immediate: true})
		w.must(err)
		return len(got)
	}
	set("paused")
	w.revoke(w.somebody("moda"))
	if now() != 0 {
		t.Error("a paused stream sends")
	}
	set("enabled")
	if now() != 1 {
		t.Error("what was held does not come")
	}
	set("disabled")
	w.revoke(w.somebody("moda"))
	w.settled()
	set("enabled")
	if now() != 0 {
		t.Error("a disabled stream holds")
	}
}

// A name that resolves to this machine or to its link is not connected to,
// whatever an administrator wrote; the certificate must be the name's.
func TestWhatIsNeverPushedTo(t *testing.T) {
	for address, refused := range map[string]bool{
		"127.0.0.1:443": true, "[::1]:443": true, "0.0.0.0:443": true, "169.254.169.254:80": true, "[fe80::1%eth0]:443": true,
		"224.0.0.1:443": true, "[::ffff:127.0.0.1]:443": true, "nonsense": true, "10.1.2.3:443": false, "203.0.113.9:443": false,
	} {
		if got := refuseLocal("tcp", address, nil) != nil; got != refused {
			t.Errorf("%s: refused %v", address, got)
		}
	}
	w := newWorld(t, nil)
	box, at := w.inbox()
	port := at[strings.LastIndexByte(at, ':'):]
	send := func(client *http.Client, url string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
		w.must(err)
		return (&Transmitter{client: client}).send(r)
	}
	if err := send(w.tx.client, "https://localhost"+port); !errors.Is(err, errAddress) {
		t.Error("a name led to this machine:", err)
	}
	if err := send(NewClient(nil), at); err == nil || len(box.Got()) != 0 {
		t.Error("a certificate that nobody vouches for was believed:", err)
	}
	if w.tx.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy of the environment's is asked")
	}
}

// An address that an administrator took back is not pushed to any more.
func TestRemovedReceiverGetsNothing(t *testing.T) {
	w := newWorld(t, nil)
	_, _, box := w.pushed("moda", "siem")
	id := w.tx.Receivers("moda")[0].ID
	_, err := w.tx.RemoveReceiver(t.Context(), "moda", id)
	w.must(err)
	w.revoke(w.somebody("moda"))
	w.crash()
	if len(box.Got()) != 0 {
		t.Error("it got an event")
	}
}
