package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/policy/application"
	"github.com/menshen-zt/menshen/pdp/store"
)

// applicationStore keeps one application in memory, judged as the PDP judges it.
type applicationStore struct{ files map[string]string }

type badApplication struct{ error }

func (b badApplication) Reason() wire.Reason {
	return reason.New(reason.CfgApplication, "detail", b.Error())
}

func (s *applicationStore) ValidateApplication(files map[string]string) (client.Application, error) {
	raw := map[string][]byte{}
	for name, text := range files {
		raw[name] = []byte(text)
	}
	a, err := application.Load(raw)
	if err != nil {
		return client.Application{}, badApplication{err}
	}
	return client.Application{Version: a.Version(), Policies: a.Policies(), Entities: a.Entities()}, nil
}

func (s *applicationStore) Application(wire.Portal) (client.Application, error) {
	if s.files == nil {
		return client.Application{}, store.ErrNotFound
	}
	out, err := s.ValidateApplication(s.files)
	out.Number, out.Files = 1, s.files
	return out, err
}

func (s *applicationStore) SetApplication(_ context.Context, _ wire.Portal, files map[string]string, by string) (client.Application, error) {
	s.files = maps.Clone(files)
	out, err := s.ValidateApplication(files)
	out.Number, out.SetBy = 1, by
	return out, err
}

func (s *applicationStore) RemoveApplication(_ context.Context, p wire.Portal) (client.Application, error) {
	out, err := s.Application(p)
	s.files = nil
	return out, err
}

const exampleApplication = "../../examples/application"

func TestApplication(t *testing.T) {
	c := newConsole(t)
	c.run(0, "portal", "create", "https://hr.example", "--agency", "nstc", "--name-zh", "人事", "--name-en", "HR")
	out, _ := c.run(0, "application", "validate", exampleApplication)
	holds(t, out, "Policies", "6", "Entities", "4")
	_, told := c.run(exitRefused, "application", "show", "https://hr.example")
	holds(t, told, reason.CfgNotFound)
	out, _ = c.run(0, "application", "set", "https://hr.example", exampleApplication)
	holds(t, out, "Number", "uid:")
	out, _ = c.run(0, "application", "show", "https://hr.example")
	holds(t, out, "// schema.cedarschema", "entity record", "// entities.json", `"alice"`, "// policies.cedar", "@id(\"readers\")")
	out, _ = c.run(0, "application", "remove", "https://hr.example")
	holds(t, out, "no rules of its own")
	_, told = c.run(exitRefused, "application", "remove", "https://hr.example")
	holds(t, told, reason.CfgNotFound)
	_, told = c.run(exitRefused, "application", "set", "https://nowhere.example", exampleApplication)
	holds(t, told, reason.CfgNotFound)
}

func TestApplicationWithAFaultNamesThePlace(t *testing.T) {
	c := newConsole(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"s.cedarschema": "entity user;\naction read appliesTo { principal: user, resource: user };",
		"p.cedar":       "@id(\"a\")\npermit (principal, action, resource);\n@id(\"b\")\npermit (principal, action, resource)\nwhen { principal.nothing };",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, told := c.run(exitRefused, "application", "validate", dir)
	holds(t, told, reason.CfgApplication, "p.cedar:3: b:", "nothing")
	c.run(exitUsage, "application", "validate", t.TempDir())
	c.run(exitUsage, "application", "set", "https://hr.example")
	c.run(exitUsage, "application")
}
