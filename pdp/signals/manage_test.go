package signals

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/ssf"
)

func statusOf(err error) int {
	var s *ssf.StatusError
	if errors.As(err, &s) {
		return s.Code
	}
	return 0
}

// Discovery, then a stream's whole life, as SSF 1.0, 7 and 8.1, has it.
func TestAStreamsLife(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := ssf.Discover(t.Context(), w.http(), w.origin+"/a/moda", ""); statusOf(err) != http.StatusNotFound {
		t.Error("an agency without receivers describes itself:", err)
	}
	c := w.client("moda", "siem")
	if c.Subjects != "ALL" || !slices.Equal(c.Methods, []string{ssf.Push, ssf.Poll}) {
		t.Errorf("%+v", c.Metadata)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	s := w.create(c, ssf.Stream{Requested: []string{ssf.Prefix + "session-revoked", "urn:example:unknown"}, Description: "all ends"})
	if !slices.Equal(s.Delivered, []string{ssf.Prefix + "session-revoked"}) || len(s.Supported) != 4 || s.Delivery.Method != ssf.Poll ||
		s.Description != "all ends" || len(s.Requested) != 2 || !strings.Contains(s.Delivery.Endpoint, s.ID) {
		t.Fatalf("%+v", s)
	}
	if again, err := c.Read(t.Context(), s.ID); err != nil || again.ID != s.ID || again.Description != s.Description {
		t.Fatal(again, err)
	}
	patched, err := c.Update(t.Context(), map[string]any{"stream_id": s.ID, "events_requested": []string{ssf.Prefix + "risk-level-change"}, "iss": c.Issuer, "unheard": 1})
	if err != nil || patched.Description != "all ends" || !slices.Equal(patched.Delivered, []string{ssf.Prefix + "risk-level-change"}) {
		t.Fatalf("%+v %v", patched, err)
	}
	replaced, err := c.Replace(t.Context(), ssf.Stream{ID: s.ID, Issuer: c.Issuer, Audience: s.Audience})
	if err != nil || replaced.Description != "" || len(replaced.Delivered) != 4 {
		t.Fatalf("%+v %v", replaced, err)
	}
	second := w.create(c, ssf.Stream{})
	if _, err := c.Create(t.Context(), ssf.Stream{}); statusOf(err) != http.StatusConflict {
		t.Error("a third stream:", err)
	}
	w.must(c.Delete(t.Context(), second.ID))
	if _, err := c.Read(t.Context(), second.ID); statusOf(err) != http.StatusNotFound {
		t.Error("a deleted stream is there:", err)
	}
	w.crash()
	if list, err := c.List(t.Context()); err != nil || len(list) != 1 || list[0].ID != s.ID {
		t.Fatal(list, err)
	}
	if n := len(w.recorded("stream-created")); n != 2 {
		t.Errorf("%d creations on record", n)
	}
}

// Each request has one fault.
func TestBadRequestsChangeNothing(t *testing.T) {
	w := newWorld(t, nil)
	c, other := w.client("moda", "siem", "https://siem.example/in/"), w.client("nstc", "siem")
	peer := w.client("moda", "other")
	s := w.create(c, ssf.Stream{})
	foreign := w.create(other, ssf.Stream{})
	patch := func(k string, v any) func() error {
		return func() error {
			_, err := c.Update(t.Context(), map[string]any{"stream_id": s.ID, k: v})
			return err
		}
	}
	push := func(url string) func() error {
		return patch("delivery", ssf.Delivery{Method: ssf.Push, Endpoint: url})
	}
	read := func(c *ssf.Client, id string) func() error {
		return func() error { _, err := c.Read(t.Context(), id); return err }
	}
	stranger, elsewhere := *c, *c
	stranger.Secret = "x"
	elsewhere.Secret = other.Secret
	for name, f := range map[string]struct {
		do   func() error
		want int
	}{
		"no secret":        {read(&ssf.Client{HTTP: c.HTTP, Metadata: c.Metadata}, s.ID), 401},
		"another secret":   {read(&stranger, s.ID), 401},
		"another agency's": {read(&elsewhere, s.ID), 401},
		"a peer's stream":  {read(peer, s.ID), 404},
		"a peer deletes":   {func() error { return peer.Delete(t.Context(), s.ID) }, 404},
		"a peer verifies":  {func() error { return peer.Verify(t.Context(), s.ID, "") }, 404},
		"a peer's status":  {func() error { _, err := peer.StatusOf(t.Context(), s.ID); return err }, 404},
		"a peer pauses": {func() error {
			_, err := peer.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "paused"})
			return err
		}, 404},
		"a peer polls":           {func() error { _, _, err := peer.Poll(t.Context(), s, ssf.PollRequest{Immediate: true}); return err }, 404},
		"an agency's stream":     {read(c, foreign.ID), 404},
		"another issuer":         {patch("iss", "https://else.example"), 400},
		"another audience":       {patch("aud", "else"), 400},
		"two audiences":          {patch("aud", []string{s.Audience, "else"}), 400},
		"other supported":        {patch("events_supported", []string{"x"}), 400},
		"other delivered":        {patch("events_delivered", []string{}), 400},
		"other interval":         {patch("min_verification_interval", 9), 400},
		"too many types":         {patch("events_requested", slices.Repeat([]string{"x"}, 33)), 400},
		"a long type":            {patch("events_requested", []string{strings.Repeat("x", 1025)}), 400},
		"a long description":     {patch("description", strings.Repeat("x", 1025)), 400},
		"a number":               {patch("description", 1), 400},
		"unknown method":         {patch("delivery", ssf.Delivery{Method: "urn:x", Endpoint: "https://siem.example/in/"}), 400},
		"own poll address":       {patch("delivery", ssf.Delivery{Method: ssf.Poll, Endpoint: "https://siem.example/in/"}), 400},
		"header with a line end": {patch("delivery", ssf.Delivery{Method: ssf.Push, Endpoint: "https://siem.example/in/", Authorization: "a\r\nHost: x"}), 400},
		"push in the clear":      {push("http://siem.example/in/"), 403},
		"push elsewhere":         {push("https://else.example/in/"), 403},
		"push to another port":   {push("https://siem.example:8443/in/"), 403},
		"push above":             {push("https://siem.example/"), 403},
		"push by climbing":       {push("https://siem.example/in/../admin"), 403},
		"push by encoded dots":   {push("https://siem.example/in/%2e%2e/admin"), 403},
		"push with a user":       {push("https://siem.example@else.example/in/"), 403},
		"push with a query":      {push("https://siem.example/in/?x=1"), 403},
		"push to a look-alike":   {push("https://siem.example.evil.example/in/"), 403},
		"push to metadata":       {push("https://169.254.169.254/in/"), 403},
		"status unknown": {func() error {
			_, err := c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "asleep"})
			return err
		}, 400},
		"a long reason": {func() error {
			_, err := c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "paused", Reason: strings.Repeat("x", 1025)})
			return err
		}, 400},
		"a long state": {func() error { return c.Verify(t.Context(), s.ID, strings.Repeat("x", 1025)) }, 400},
		"a huge body":  {patch("description", strings.Repeat("x", maxBody)), 400},
		"fewer than none": {func() error {
			n := -1
			_, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Most: &n, Immediate: true})
			return err
		}, 400},
	} {
		if err := f.do(); statusOf(err) != f.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := c.Read(t.Context(), s.ID); err != nil || got.Delivery.Method != ssf.Poll || got.Description != "" || len(got.Delivered) != 4 {
		t.Errorf("%+v %v", got, err)
	}
	for name, body := range map[string]string{"twice": `{"stream_id":"` + s.ID + `","stream_id":"x"}`, "more": `{} {}`, "none": ``} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, c.Verification, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.Secret)
		answer, err := c.HTTP.Do(r)
		w.must(err)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

// What a receiver does is recorded before it is done.
func TestStreamsNeedTheAuditLog(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	w.mu.Lock()
	w.logErr = errors.New("full")
	w.mu.Unlock()
	_, created := c.Create(t.Context(), ssf.Stream{})
	_, changed := c.Update(t.Context(), map[string]any{"stream_id": s.ID, "description": "x"})
	_, set := c.SetStatus(t.Context(), ssf.Status{ID: s.ID, Status: "disabled"})
	for what, err := range map[string]error{"created": created, "changed": changed, "disabled": set, "deleted": c.Delete(t.Context(), s.ID)} {
		if statusOf(err) != http.StatusServiceUnavailable {
			t.Errorf("%s without a record: %v", what, err)
		}
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 1 || list[0].Description != "" {
		t.Error(list, err)
	}
	if got, _ := c.StatusOf(t.Context(), s.ID); got.Status != "enabled" {
		t.Error(got)
	}
}

func TestVerificationRoundTrip(t *testing.T) {
	w := newWorld(t, func(l *Limits) { l.Verification = 5 * time.Second })
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	if s.Interval != 5 {
		t.Error(s.Interval)
	}
	w.must(c.Verify(t.Context(), s.ID, "a/state+of=mine"))
	if err := c.Verify(t.Context(), s.ID, "again"); statusOf(err) != http.StatusTooManyRequests {
		t.Error("verified twice at once:", err)
	}
	got := w.one(c, s)
	if got.Type != ssf.FrameworkPrefix+"verification" || got.Text("state") != "a/state+of=mine" || got.Subject["id"] != s.ID {
		t.Fatalf("%+v", got)
	}
	w.pass(5 * time.Second)
	w.must(c.Verify(t.Context(), s.ID, ""))
	if got := w.one(c, s); got.Body["state"] != nil {
		t.Fatalf("%+v", got)
	}
}

func TestReceiversAreHeldToTheirBounds(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	for name, push := range map[string][]string{"siem": nil, "": nil, " x": nil, "clear": {"http://x.example/"}, "query": {"https://x.example/?q"},
		"many": slices.Repeat([]string{"https://x.example/"}, 9)} {
		r := wireReceiver(name, push...)
		var refused *InputError
		if _, _, err := w.tx.AddReceiver(t.Context(), r, "uid:0"); !errors.As(err, &refused) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i := range mostReceivers - 1 {
		_, _, err := w.tx.AddReceiver(t.Context(), wireReceiver("r"+string(rune('a'+i))), "uid:0")
		w.must(err)
	}
	if _, _, err := w.tx.AddReceiver(t.Context(), wireReceiver("last"), "uid:0"); err == nil {
		t.Error("one too many")
	}
	s := w.create(c, ssf.Stream{})
	id := w.tx.Receivers("moda")[slices.IndexFunc(w.tx.Receivers("moda"), func(r wire.SignalReceiver) bool { return r.Name == "siem" })].ID
	if _, err := w.tx.RemoveReceiver(t.Context(), "nstc", id); err == nil {
		t.Error("another agency removed it")
	}
	if _, err := w.tx.RemoveReceiver(t.Context(), "moda", id); err != nil {
		t.Fatal(err)
	}
	w.crash()
	if _, err := c.Read(t.Context(), s.ID); statusOf(err) != http.StatusUnauthorized {
		t.Error("a removed receiver is served:", err)
	}
	if w.tx.listened("moda") {
		t.Error("its stream stayed")
	}
}

// The store holds no receiver's secret, neither ours nor its own.
func TestSecretsAreNotInTheStore(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem", "https://siem.example/in/")
	w.create(c, ssf.Stream{Delivery: &ssf.Delivery{Method: ssf.Push, Endpoint: "https://siem.example/in/x", Authorization: "Bearer their-secret"}})
	if list, err := c.List(t.Context()); err != nil || list[0].Delivery.Authorization != "" {
		t.Error("a secret came out again", err)
	}
	page, err := w.store.Scan(t.Context(), "/", "", 1000)
	w.must(err)
	for _, r := range page.Records {
		for _, secret := range []string{c.Secret, "their-secret"} {
			if strings.Contains(string(r.Value), secret) || strings.Contains(r.Key, secret) {
				t.Error(r.Key)
			}
		}
	}
}

func wireReceiver(name string, push ...string) wire.SignalReceiver {
	return wire.SignalReceiver{Agency: "moda", Name: name, Push: push}
}
