package application

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// BenchmarkAnswer is one question, beside Cedar alone on the same policies.
func BenchmarkAnswer(b *testing.B) {
	a := load(b, example(b))
	plain, claimed := question("alice", "read", "record-1"), question("alice", "write", "record-2")
	claimed.Resource.Properties = []byte(`{"status":"archived"}`)
	session := question("ses-1", "read", "record-1")
	session.Subject.Type = "menshen-session"
	facts := healthy()
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.ask(plain, nil)
		}
	})
	b.Run("claims", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.ask(claimed, nil)
		}
	})
	b.Run("session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.ask(session, facts)
		}
	})
	b.Run("cedar", func(b *testing.B) {
		read := a.actions["read"]
		claims, err := read.claims.read(plain)
		if err != nil {
			b.Fatal(err)
		}
		request := cedar.Request{
			Principal: types.NewEntityUID("user", "alice"), Action: read.uid, Resource: types.NewEntityUID("record", "record-1"),
			Context: types.NewRecord(types.RecordMap{contextMenshen: a.absent, contextClaims: claims}),
		}
		b.ReportAllocs()
		for b.Loop() {
			cedar.Authorize(read, a.entities, request)
		}
	})
}

// BenchmarkSearch asks for each of all the entities that there may be.
func BenchmarkSearch(b *testing.B) {
	files := example(b)
	var all strings.Builder
	for i := range MaxEntities {
		fmt.Fprintf(&all, `,{"uid":{"type":"record","id":"r%d"},"attrs":{"status":"active"},"parents":[]}`, i)
	}
	files["entities.json"] = []byte("[" + all.String()[1:] + "]")
	a := load(b, files)
	q := question("alice", "read", "")
	b.ReportAllocs()
	for b.Loop() {
		i := a.Open(q, nil, noon)
		for _, id := range a.Candidates("record") {
			if !i.Answer("alice", "read", id).Allowed {
				b.Fatal(id)
			}
		}
	}
}
