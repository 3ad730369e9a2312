package application

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// example returns the files that are shipped as an example: the certification
// scenario's fixture.
func example(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("../../../examples/application/*.*")
	if err != nil || len(names) == 0 {
		t.Fatal("no example", err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if filepath.Ext(name) == ".md" {
			continue
		}
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func load(t testing.TB, files map[string][]byte) *Application {
	t.Helper()
	a, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// question asks by the scenario's types.
func question(subject, action, resource string) *wire.Question {
	return &wire.Question{
		Subject: wire.Asked{Type: "user", ID: subject}, Action: wire.AskedAction{Name: action},
		Resource: wire.Asked{Type: "record", ID: resource},
	}
}

func (a *Application) ask(q *wire.Question, facts *wire.Facts) wire.Answer {
	return a.Open(q, facts, noon).Answer(q.Subject.ID, q.Action.Name, q.Resource.ID)
}
