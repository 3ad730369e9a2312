package application

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxElements bounds a claim that is a set.
const maxElements = 1000

// claimType is what one claim has to be, as the schema declares it.
type claimType struct {
	name     types.String // as policies call it, for messages
	optional bool
	members  []claimType // of a record, by name
	element  *claimType  // of a set
	scalar   func(raw json.RawMessage) (types.Value, error)
}

// The parts of a question that carry claims.
const (
	partSubject  = types.String("subject")
	partAction   = types.String("action")
	partResource = types.String("resource")
	partContext  = types.String("context")
)

// readClaims takes the declaration of context.claims: a record of at most four
// records of plain values.
func readClaims(declared resolved.IsType) (*claimType, error) {
	all, err := readClaim(contextClaims, resolved.Attribute{Type: declared})
	if err != nil {
		return nil, err
	}
	if all.members == nil {
		return nil, errors.New("context.claims is not a record")
	}
	for _, part := range all.members {
		switch part.name {
		case partSubject, partAction, partResource, partContext:
		default:
			return nil, fmt.Errorf("context.claims.%s: claims are about subject, action, resource or context", part.name)
		}
		if part.members == nil {
			return nil, fmt.Errorf("context.claims.%s is not a record", part.name)
		}
	}
	return &all, nil
}

func readClaim(name types.String, declared resolved.Attribute) (c claimType, err error) {
	c = claimType{name: name, optional: declared.Optional}
	switch t := declared.Type.(type) {
	case resolved.RecordType:
		c.members = make([]claimType, 0, len(t))
		for member, attribute := range t {
			m, err := readClaim(member, attribute)
			if err != nil {
				return c, err
			}
			c.members = append(c.members, m)
		}
	case resolved.SetType:
		element, err := readClaim(name, resolved.Attribute{Type: t.Element})
		if err != nil {
			return c, err
		}
		c.element = &element
	case resolved.StringType:
		c.scalar = text(func(s string) (types.String, error) { return types.String(s), nil })
	case resolved.BoolType:
		c.scalar = truth
	case resolved.LongType:
		c.scalar = whole
	case resolved.ExtensionType:
		c.scalar, err = extension(t)
	default:
		err = fmt.Errorf("the claim %s cannot be an entity: nobody has checked what a caller says", name)
	}
	return c, err
}

func extension(t resolved.ExtensionType) (func(json.RawMessage) (types.Value, error), error) {
	switch t {
	case "decimal":
		return text(types.ParseDecimal), nil
	case "ipaddr":
		return text(types.ParseIPAddr), nil
	case "datetime":
		return text(types.ParseDatetime), nil
	case "duration":
		return text(types.ParseDuration), nil
	}
	return nil, fmt.Errorf("no claim can be a %s", t)
}

func text[T types.Value](parse func(string) (T, error)) func(json.RawMessage) (types.Value, error) {
	return func(raw json.RawMessage) (types.Value, error) {
		if len(raw) == 0 || raw[0] != '"' {
			return nil, errKind
		}
		var s string
		if err := strictjson.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return parse(s)
	}
}

var errKind = errors.New("is of another type than the schema declares")

func truth(raw json.RawMessage) (types.Value, error) {
	switch string(raw) {
	case "true":
		return types.True, nil
	case "false":
		return types.False, nil
	}
	return nil, errKind
}

func whole(raw json.RawMessage) (types.Value, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || raw[0] == '+' {
		return nil, errKind
	}
	return types.Long(n), nil
}

// claimError names the claim at fault.
type claimError struct {
	claim string
	err   error
}

func (e *claimError) Error() string { return e.claim + " " + e.err.Error() }

var errMissing = errors.New("is missing")

// read returns context.claims of a question.
func (c *claimType) read(q *wire.Question) (types.Record, error) {
	parts := make(types.RecordMap, len(c.members))
	for i := range c.members {
		part := &c.members[i]
		raw := q.Context
		switch part.name {
		case partSubject:
			raw = q.Subject.Properties
		case partAction:
			raw = q.Action.Properties
		case partResource:
			raw = q.Resource.Properties
		}
		value, err := part.record(raw)
		if err != nil {
			return types.Record{}, named(part.name, err)
		}
		parts[part.name] = value
	}
	return types.NewRecord(parts), nil
}

func (c *claimType) value(raw json.RawMessage) (types.Value, error) {
	switch {
	case c.scalar != nil:
		return c.scalar(raw)
	case c.element != nil:
		return c.set(raw)
	case len(raw) == 0 || raw[0] != '{':
		return nil, errKind
	default:
		return c.record(raw)
	}
}

func (c *claimType) set(raw json.RawMessage) (types.Value, error) {
	var elements []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' {
		return nil, errKind
	}
	if err := strictjson.Unmarshal(raw, &elements); err != nil {
		return nil, err
	}
	if len(elements) > maxElements {
		return nil, fmt.Errorf("has more than %d elements", maxElements)
	}
	values := make([]types.Value, len(elements))
	for i, element := range elements {
		var err error
		if values[i], err = c.element.value(element); err != nil {
			return nil, err
		}
	}
	return types.NewSet(values...), nil
}

// record reads an object; nil is one without members.
func (c *claimType) record(raw []byte) (types.Record, error) {
	var sent map[string]json.RawMessage
	if raw != nil {
		if err := strictjson.Unmarshal(raw, &sent); err != nil {
			return types.Record{}, err
		}
	}
	values := make(types.RecordMap, len(c.members))
	for i := range c.members {
		member := &c.members[i]
		one, ok := sent[string(member.name)]
		if !ok {
			if member.optional {
				continue
			}
			return types.Record{}, named(member.name, errMissing)
		}
		value, err := member.value(one)
		if err != nil {
			return types.Record{}, named(member.name, err)
		}
		values[member.name] = value
	}
	return types.NewRecord(values), nil
}

// named puts a claim's name before those of its members.
func named(name types.String, err error) error {
	var inner *claimError
	if errors.As(err, &inner) {
		return &claimError{string(name) + "." + inner.claim, inner.err}
	}
	return &claimError{string(name), err}
}
