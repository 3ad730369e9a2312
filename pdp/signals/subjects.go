package signals

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// mostRemoved bounds the subjects that one stream leaves out.
const mostRemoved = 1000

// subjectRequest adds a subject to a stream or removes one (SSF 1.0, 8.1.3.2
// and 8.1.3.3). Whether the receiver verified it changes nothing here.
type subjectRequest struct {
	ID      string `json:"stream_id"`
	Subject struct {
		identifier
		User   *identifier `json:"user"`
		Device *identifier `json:"device"`
		Tenant *identifier `json:"tenant"`
		// What else a complex subject may name is no subject of ours.
		Session     any `json:"session"`
		Application any `json:"application"`
		OrgUnit     any `json:"org_unit"`
		Group       any `json:"group"`
	} `json:"subject"`
}

// left is a subject that a stream leaves out: a person's id, a device's, or both
// together. All subjects of the agency are in a stream until they are removed.
type left struct {
	User   string `json:"user,omitempty"`
	Device string `json:"device,omitempty"`
}

// omits reports whether a stream leaves out what an event is about: every member
// of a removed subject is the event's; s.mu is held.
func (s *stream) omits(about *complexSubject) bool {
	same := func(id string, is *identifier) bool { return id == "" || is != nil && is.Subject == id }
	return slices.ContainsFunc(s.record.Removed, func(l left) bool { return same(l.User, about.User) && same(l.Device, about.Device) })
}

// errNoSubject is the answer for a subject that is not the agency's own, whether
// it is another's or nobody's.
var errNoSubject = &requestError{http.StatusNotFound, reason.SignalStreamRefused, "the subject is no person or device of the agency"}

func (t *Transmitter) addSubject(w http.ResponseWriter, r *http.Request, from *receiver) {
	if t.changeSubject(w, r, from, "subject-added", func(all []left, one left) ([]left, error) {
		return slices.DeleteFunc(slices.Clone(all), func(l left) bool { return l == one }), nil
	}) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
	}
}

func (t *Transmitter) removeSubject(w http.ResponseWriter, r *http.Request, from *receiver) {
	if t.changeSubject(w, r, from, "subject-removed", func(all []left, one left) ([]left, error) {
		switch {
		case slices.Contains(all, one):
			return all, nil
		case len(all) >= mostRemoved:
			return nil, &requestError{http.StatusConflict, reason.SignalStreamRefused, "the stream leaves out as many subjects as it may"}
		}
		return append(slices.Clone(all), one), nil
	}) {
		noContent(w)
	}
}

// changeSubject alters what a stream leaves out, and records it; or answers.
func (t *Transmitter) changeSubject(w http.ResponseWriter, r *http.Request, from *receiver, what string, alter func([]left, left) ([]left, error)) bool {
	var in subjectRequest
	if !readBody(w, r, &in) {
		return false
	}
	s := t.stream(from, in.ID)
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return false
	}
	one, err := t.ownSubject(r.Context(), from.Agency, &in)
	if err == nil {
		ctx := context.WithoutCancel(r.Context())
		err = t.set(ctx, s, func(record *streamRecord) ([]event, error) {
			all, err := alter(record.Removed, one)
			if err != nil || len(all) == len(record.Removed) {
				return nil, err
			}
			record.Removed = all
			return nil, t.record(ctx, s.agency, map[string]string{"event": what, "stream": s.id, "receiver": s.receiver, "person": one.User, "device": one.Device})
		})
	}
	if err != nil {
		t.fail(w, r, err)
		return false
	}
	return true
}

// ownSubject reads a subject: a person or a device of the agency, as its events
// name them, or both in a complex subject.
func (t *Transmitter) ownSubject(ctx context.Context, agency string, in *subjectRequest) (left, error) {
	about := &in.Subject
	if about.Format != "complex" {
		return t.simpleSubject(ctx, agency, &about.identifier)
	}
	if about.Session != nil || about.Application != nil || about.OrgUnit != nil || about.Group != nil ||
		about.Tenant != nil && *about.Tenant != *opaque(agency) || about.User == nil && about.Device == nil {
		return left{}, errNoSubject
	}
	var one left
	if about.User != nil {
		user, err := t.simpleSubject(ctx, agency, about.User)
		if err != nil {
			return left{}, err
		}
		if user.User == "" {
			return left{}, errNoSubject
		}
		one.User = user.User
	}
	if about.Device != nil {
		device, err := t.simpleSubject(ctx, agency, about.Device)
		if err != nil {
			return left{}, err
		}
		if device.Device == "" {
			return left{}, errNoSubject
		}
		one.Device = device.Device
	}
	return one, nil
}

func (t *Transmitter) simpleSubject(ctx context.Context, agency string, id *identifier) (left, error) {
	if id.Format == "" {
		return left{}, badRequest("subject is malformed")
	}
	if id.Format != "iss_sub" || id.Issuer != t.issuer(agency) {
		return left{}, errNoSubject
	}
	var of string
	var err error
	var one left
	switch {
	case wire.CheckID(wire.PrefixPerson, id.Subject) == nil:
		var p wire.Person
		p, err = t.Directory.Person(ctx, id.Subject)
		of, one.User = p.Agency, id.Subject
	case wire.CheckID(wire.PrefixDevice, id.Subject) == nil:
		var d wire.Device
		d, err = t.Directory.Device(ctx, id.Subject)
		of, one.Device = d.Agency, id.Subject
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return left{}, err
	case err != nil || of != agency:
		return left{}, errNoSubject
	}
	return one, nil
}
