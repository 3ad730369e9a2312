package api

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
)

type document struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

type operation struct {
	RequestBody struct{ Content content } `yaml:"requestBody"`
	Responses   map[string]struct{ Content content }
}

type content map[string]struct{ Schema schema }

type schema struct {
	Ref        string            `yaml:"$ref"`
	Type       string            `yaml:"type"`
	Encoding   string            `yaml:"contentEncoding"`
	Format     string            `yaml:"format"`
	Required   []string          `yaml:"required"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
	Additional any               `yaml:"additionalProperties"`
}

func published(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile("../../docs/agents-openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDocumentAndTheHandlerHaveTheSameRoutes(t *testing.T) {
	d := published(t)
	a := newFixture(t).API
	if got, want := slices.Sorted(maps.Keys(d.Paths)), slices.Sorted(maps.Keys(a.routes)); !slices.Equal(got, want) {
		t.Errorf("documented %v, served %v", got, want)
	}
	for path, methods := range d.Paths {
		if _, ok := methods[strings.ToLower(a.routes[path].method)]; !ok || len(methods) != 1 {
			t.Errorf("%s: documented %v, served %s", path, slices.Collect(maps.Keys(methods)), a.routes[path].method)
		}
	}
}

// exchanged are the messages of each route; a request is nil where there is none.
var exchanged = map[string][2]any{
	"/v1/enrol/start":  {wire.EnrolStart{}, wire.EnrolChallenge{}},
	"/v1/enrol/finish": {wire.EnrolFinish{}, wire.Enrolled{}},
	"/v1/attest/nonce": {nil, wire.NonceAnswer{}},
	"/v1/attest":       {wire.AttestRequest{}, wire.AttestAnswer{}},
	"/v1/confirm":      {wire.DeviceConfirmation{}, wire.DeviceConfirmed{}},
	"/v1/inventory":    {wire.InventoryReport{}, wire.InventoryTaken{}},
	"/v1/remedy":       {wire.RemedyReport{}, wire.RemedyTaken{}},
	"/v1/poll":         {nil, wire.PollAnswer{}},
}

func TestTheDocumentAndTheMessagesHaveTheSameMembers(t *testing.T) {
	d := published(t)
	seen := map[string]bool{}
	for path, messages := range exchanged {
		for _, op := range d.Paths[path] {
			request := op.RequestBody.Content["application/json"].Schema
			if messages[0] == nil {
				if request.Ref != "" {
					t.Errorf("%s: a request is documented", path)
				}
			} else {
				d.compare(t, path+" request", request, reflect.TypeOf(messages[0]), seen)
				if s := d.Components.Schemas[name(request)]; s.Additional != false {
					t.Errorf("%s: unknown members seem to be allowed", path)
				}
			}
			d.compare(t, path+" answer", op.Responses["200"].Content["application/json"].Schema, reflect.TypeOf(messages[1]), seen)
		}
	}
	d.compare(t, "claims", schema{Ref: "#/components/schemas/Claims"}, reflect.TypeOf(wire.Claims{}), seen)
	d.compare(t, "problem", schema{Ref: "#/components/schemas/Document"}, reflect.TypeOf(problem.Document{}), seen)
	for name := range d.Components.Schemas {
		if !seen[name] {
			t.Errorf("schema %s is used nowhere", name)
		}
	}
}

func name(s schema) string { return strings.TrimPrefix(s.Ref, "#/components/schemas/") }

// compare descends through a schema and the type that is sent.
func (d document) compare(t *testing.T, at string, s schema, sent reflect.Type, seen map[string]bool) {
	t.Helper()
	for sent.Kind() == reflect.Pointer {
		sent = sent.Elem()
	}
	switch kind := sent.Kind(); {
	case sent == reflect.TypeFor[time.Time]():
		want(t, at, s.Type == "string" && s.Format == "date-time")
	case sent == reflect.TypeFor[[]byte]():
		want(t, at, s.Type == "string" && s.Encoding == "base64")
	case kind == reflect.Struct:
		want(t, at, name(s) == sent.Name())
		seen[name(s)] = true
		d.compareMembers(t, at, d.Components.Schemas[name(s)], sent, seen)
	case kind == reflect.Slice:
		want(t, at, s.Type == "array" && s.Items != nil)
		if s.Items != nil {
			d.compare(t, at+"[]", *s.Items, sent.Elem(), seen)
		}
	case kind == reflect.Map:
		want(t, at, s.Type == "object")
	case kind == reflect.String:
		want(t, at, s.Type == "string" && s.Encoding == "")
	case kind == reflect.Bool:
		want(t, at, s.Type == "boolean")
	default:
		want(t, at, s.Type == "integer")
	}
}

func (d document) compareMembers(t *testing.T, at string, s schema, sent reflect.Type, seen map[string]bool) {
	t.Helper()
	var all, required []string
	for field := range sent.Fields() {
		member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, member)
		if options != "omitempty" {
			required = append(required, member)
		}
		d.compare(t, at+"."+member, s.Properties[member], field.Type, seen)
	}
	slices.Sort(all)
	slices.Sort(required)
	if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, all) {
		t.Errorf("%s: documented %v, sent %v", at, got, all)
	}
	if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
		t.Errorf("%s: required %v, always sent %v", at, got, required)
	}
}

func want(t *testing.T, at string, ok bool) {
	t.Helper()
	if !ok {
		t.Errorf("%s is documented differently from what is sent", at)
	}
}
