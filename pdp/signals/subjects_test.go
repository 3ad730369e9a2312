package signals

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/menshen-zt/menshen/test/ssf"
)

type members = map[string]any

func issSub(issuer, id string) members {
	return members{"format": "iss_sub", "iss": issuer, "sub": id}
}

// heard revokes sessions in order and returns those that the stream told of; the
// last is one that it tells of in any case.
func (w *world) heard(c *ssf.Client, s ssf.Stream, all ...Session) map[string]bool {
	w.t.Helper()
	last := w.somebody("moda")
	for _, one := range append(all, last) {
		w.revoke(one)
	}
	told := map[string]bool{}
	for {
		for id, e := range w.poll(c, s) {
			told[e.Member("session")] = true
			_, _, err := c.Poll(w.t.Context(), s, ssf.PollRequest{Ack: []string{id}, Immediate: true, Most: new(int)})
			w.must(err)
		}
		if told[last.ID] {
			delete(told, last.ID)
			return told
		}
	}
}

// All subjects are in a stream; one that its receiver removed is not, until it
// is added again.
func TestSubjectsAreRemovedAndAdded(t *testing.T) {
	w := newWorld(t, nil)
	c, other := w.client("moda", "siem"), w.client("moda", "edr")
	s, beside := w.create(c, ssf.Stream{}), w.create(other, ssf.Stream{})
	if c.Subjects != "ALL" {
		t.Error("default_subjects:", c.Subjects)
	}
	one, two := w.somebody("moda"), w.somebody("moda")
	if told := w.heard(c, s, one, two); !told[one.ID] || !told[two.ID] {
		t.Error(told)
	}
	for range 2 { // again changes nothing
		w.must(c.Remove(t.Context(), s.ID, issSub(c.Issuer, one.Person)))
	}
	w.crash()
	if told := w.heard(c, s, one, two); told[one.ID] || !told[two.ID] {
		t.Error("removed:", told)
	}
	w.must(c.Remove(t.Context(), s.ID, issSub(c.Issuer, two.Device)))
	if told := w.heard(c, s, one, two); len(told) != 0 {
		t.Error("both removed:", told)
	}
	if told := w.heard(other, beside, one, two); !told[one.ID] || !told[two.ID] {
		t.Error("another stream tells less:", told)
	}
	for range 2 {
		w.must(c.Add(t.Context(), s.ID, issSub(c.Issuer, one.Person)))
	}
	w.must(c.Add(t.Context(), s.ID, issSub(c.Issuer, two.Device)))
	// A person on one device, and on no other.
	both := members{"format": "complex", "user": issSub(c.Issuer, one.Person), "device": issSub(c.Issuer, one.Device), "tenant": members{"format": "opaque", "id": "moda"}}
	w.must(c.Remove(t.Context(), s.ID, both))
	elsewhere := one
	elsewhere.ID, elsewhere.Device = "ses-elsewhere", two.Device
	if told := w.heard(c, s, one, two, elsewhere); told[one.ID] || !told[two.ID] || !told[elsewhere.ID] {
		t.Error("a person on a device:", told)
	}
	w.must(c.Add(t.Context(), s.ID, both))
	if told := w.heard(c, s, one); !told[one.ID] {
		t.Error("added again:", told)
	}
	if got := w.recorded("subject-added"); len(got) != 3 || got[0]["person"] != one.Person || got[0]["stream"] != s.ID {
		t.Errorf("%v", got)
	}
}

// What a receiver may not name is answered alike, whether there is such a one.
func TestSubjectsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	own, theirs := w.somebody("moda"), w.somebody("nstc")
	nstc := w.client("nstc", "siem")
	foreign := w.create(nstc, ssf.Stream{})
	for name, subject := range map[string]any{
		"another agency's person":         issSub(c.Issuer, theirs.Person),
		"by its own issuer":               issSub(nstc.Issuer, theirs.Person),
		"another agency's device":         issSub(c.Issuer, theirs.Device),
		"nobody":                          issSub(c.Issuer, "per-00000000000000000000000004"),
		"own, by another issuer":          issSub(nstc.Issuer, own.Person),
		"no id":                           issSub(c.Issuer, ""),
		"a session":                       members{"format": "opaque", "id": own.ID},
		"a mail address":                  members{"format": "email", "email": "a@moda.gov.tw"},
		"another tenant":                  members{"format": "complex", "user": issSub(c.Issuer, own.Person), "tenant": members{"format": "opaque", "id": "nstc"}},
		"the whole tenant":                members{"format": "complex", "tenant": members{"format": "opaque", "id": "moda"}},
		"with a session":                  members{"format": "complex", "user": issSub(c.Issuer, own.Person), "session": members{"format": "opaque", "id": own.ID}},
		"a device as a person":            members{"format": "complex", "user": issSub(c.Issuer, own.Device)},
		"a person as a device":            members{"format": "complex", "device": issSub(c.Issuer, own.Person)},
		"another agency's person as well": members{"format": "complex", "user": issSub(c.Issuer, theirs.Person), "device": issSub(c.Issuer, own.Device)},
	} {
		for what, err := range map[string]error{"added": c.Add(t.Context(), s.ID, subject), "removed": c.Remove(t.Context(), s.ID, subject)} {
			if statusOf(err) != http.StatusNotFound {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	for name, subject := range map[string]any{"none": nil, "no format": members{"sub": own.Person}, "text": "per-1"} {
		if err := c.Remove(t.Context(), s.ID, subject); statusOf(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, id := range map[string]string{"another receiver's stream": foreign.ID, "no stream": "stm-x"} {
		if err := c.Remove(t.Context(), id, issSub(c.Issuer, own.Person)); statusOf(err) != http.StatusNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := *c
	stranger.Secret = nstc.Secret
	if err := stranger.Remove(t.Context(), s.ID, issSub(c.Issuer, own.Person)); statusOf(err) != http.StatusUnauthorized {
		t.Error("another agency's receiver:", err)
	}
	if told := w.heard(c, s, own); !told[own.ID] || len(w.recorded("subject-added")) != 0 {
		t.Error("a refused request changed something:", told)
	}
}

func TestRemovedSubjectsAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	one := w.tx.streams[s.ID]
	one.mu.Lock()
	for n := range mostRemoved {
		one.record.Removed = append(one.record.Removed, left{User: fmt.Sprint("per-", n)})
	}
	one.mu.Unlock()
	if err := c.Remove(t.Context(), s.ID, issSub(c.Issuer, w.somebody("moda").Person)); statusOf(err) != http.StatusConflict {
		t.Error(err)
	}
}
