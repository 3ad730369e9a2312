package authzen

import (
	"encoding/json"
	"strings"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What comes in. Pointers tell what is missing; raw members are JSON values as
// they were sent. Whatever else a request says is ignored.

type entity struct {
	Type       *string         `json:"type"`
	ID         *string         `json:"id"`
	Properties json.RawMessage `json:"properties"`
}

type action struct {
	Name       *string         `json:"name"`
	Properties json.RawMessage `json:"properties"`
}

// tuple is the four entities of a question (AuthZEN 1.0, Information Model).
type tuple struct {
	Subject  *entity         `json:"subject"`
	Action   *action         `json:"action"`
	Resource *entity         `json:"resource"`
	Context  json.RawMessage `json:"context"`
}

// batch is an Access Evaluations request.
type batch struct {
	tuple
	Evaluations []json.RawMessage `json:"evaluations"`
	Options     struct {
		Semantic *string `json:"evaluations_semantic"`
	} `json:"options"`
}

// search is a request of the Search APIs.
type search struct {
	tuple
	Page struct {
		Token *string `json:"token"`
		Limit *int    `json:"limit"`
	} `json:"page"`
}

// Bounds of what names something, in bytes.
const (
	maxType = 256
	maxID   = 256
	// maxDepth bounds how deep a request nests.
	maxDepth = 32
)

// decode reads a request into v.
func decode(raw []byte, v any) error {
	if tooDeep(raw) {
		return wrong("it nests too deep")
	}
	if err := strictjson.UnmarshalOpen(raw, v); err != nil {
		return wrong(strings.TrimPrefix(err.Error(), "strictjson: "))
	}
	return nil
}

// tooDeep counts brackets outside texts.
func tooDeep(raw []byte) bool {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// open says what of a question may be left out.
type leave uint8

const (
	leaveSubjectID leave = 1 << iota
	leaveResourceID
	leaveAction
)

// question returns the tuple's question, or says what it lacks.
func (t *tuple) question(may leave) (*wire.Question, error) {
	q := &wire.Question{}
	var err error
	if q.Subject, err = t.Subject.asked("subject", may&leaveSubjectID != 0); err != nil {
		return nil, err
	}
	if may&leaveAction == 0 {
		if q.Action, err = t.Action.asked(); err != nil {
			return nil, err
		}
	}
	if q.Resource, err = t.Resource.asked("resource", may&leaveResourceID != 0); err != nil {
		return nil, err
	}
	q.Context, err = object("context", t.Context)
	return q, err
}

func (e *entity) asked(name string, withoutID bool) (a wire.Asked, err error) {
	if e == nil {
		return a, wrong(name + " is missing")
	}
	if a.Type, err = named(name+".type", e.Type, maxType); err != nil {
		return a, err
	}
	if !withoutID { // where it is searched for, an id is ignored
		if a.ID, err = named(name+".id", e.ID, maxID); err != nil {
			return a, err
		}
	}
	a.Properties, err = object(name+".properties", e.Properties)
	return a, err
}

func (a *action) asked() (out wire.AskedAction, err error) {
	if a == nil {
		return out, wrong("action is missing")
	}
	if out.Name, err = named("action.name", a.Name, maxType); err != nil {
		return out, err
	}
	out.Properties, err = object("action.properties", a.Properties)
	return out, err
}

func named(name string, value *string, most int) (string, error) {
	switch {
	case value == nil || *value == "":
		return "", wrong(name + " is missing")
	case len(*value) > most:
		return "", wrong(name + " is too long")
	}
	return *value, nil
}

// object returns an optional object as it was sent, nil where there is none.
// null is none: it says nothing that leaving it out would not.
func object(name string, raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '{' {
		return nil, wrong(name + " is not an object")
	}
	return raw, nil
}

// over returns t with what it lacks taken from defaults: whole entities, and
// what a given entity must have and has not (AuthZEN 1.0, Default values; the
// certification scenario, default value merging).
func (t tuple) over(defaults *tuple) tuple {
	if len(t.Context) == 0 {
		t.Context = defaults.Context
	}
	t.Subject = t.Subject.over(defaults.Subject)
	t.Resource = t.Resource.over(defaults.Resource)
	switch {
	case t.Action == nil:
		t.Action = defaults.Action
	case t.Action.Name == nil && defaults.Action != nil:
		t.Action = &action{defaults.Action.Name, t.Action.Properties}
	}
	return t
}

func (e *entity) over(defaults *entity) *entity {
	switch {
	case e == nil:
		return defaults
	case defaults == nil:
		return e
	}
	merged := *e
	if merged.Type == nil {
		merged.Type = defaults.Type
	}
	if merged.ID == nil {
		merged.ID = defaults.ID
	}
	return &merged
}
