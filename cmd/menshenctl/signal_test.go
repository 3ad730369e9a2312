package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// signals stands for receivers and sources.
type signals struct {
	receiver wire.SignalReceiver
	source   wire.SignalSource
}

func (s *signals) AddReceiver(_ context.Context, r wire.SignalReceiver, _ string) (wire.SignalReceiver, string, error) {
	r.ID = "rcv-1"
	s.receiver = r
	s.receiver.Streams = []wire.SignalStream{{ID: "stm-1", Status: "paused", Reason: "full", Pending: 7, Missed: 3}}
	return r, "their-secret", nil
}

func (s *signals) RemoveReceiver(_ context.Context, agency, id string) (wire.SignalReceiver, error) {
	if agency != s.receiver.Agency || id != s.receiver.ID {
		return wire.SignalReceiver{}, store.ErrNotFound
	}
	return s.receiver, nil
}

func (s *signals) Receivers(string) []wire.SignalReceiver {
	return []wire.SignalReceiver{s.receiver, {ID: "rcv-2", Name: "quiet"}}
}

func (s *signals) AddSource(_ context.Context, r wire.SignalSource, _ string) (wire.SignalSource, string, error) {
	r.ID, r.Statements = "src-1", 12
	s.source = r
	return r, "its-secret", nil
}

func (s *signals) RemoveSource(_ context.Context, agency, id string) (wire.SignalSource, error) {
	if agency != s.source.Agency || id != s.source.ID {
		return wire.SignalSource{}, store.ErrNotFound
	}
	return s.source, nil
}

func (s *signals) Sources(string) []wire.SignalSource { return []wire.SignalSource{s.source} }

func TestSignals(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "signal", "receiver", "add", "--agency", "nstc", "--name", "siem", "--push", "https://a.example/", "--push", "https://b.example/x")
	holds(t, out, "siem", "rcv-1", "their-secret", "not shown again")
	if len(c.signals.receiver.Push) != 2 || c.signals.receiver.Agency != "nstc" {
		t.Errorf("%+v", c.signals.receiver)
	}
	out, _ = c.run(0, "signal", "receiver", "list", "--agency", "nstc")
	holds(t, out, "siem", "stm-1", "paused", "full", "7", "3", "quiet")
	c.run(exitRefused, "signal", "receiver", "remove", "rcv-2", "--agency", "nstc")
	out, _ = c.run(0, "signal", "receiver", "remove", "rcv-1", "--agency", "nstc")
	holds(t, out, "siem")

	keys := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(keys, []byte(`{"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = c.run(0, "signal", "source", "add", "--agency", "nstc", "--name", "edr", "--issuer", "https://edr.example", "--jwks", keys, "--mail-domain", "nstc.gov.tw", "--hours", "48")
	holds(t, out, "edr", "src-1", "its-secret")
	if string(c.signals.source.Keys) != `{"keys":[]}` || c.signals.source.Life != 48 {
		t.Errorf("%+v", c.signals.source)
	}
	out, _ = c.run(0, "signal", "source", "list", "--agency", "nstc")
	holds(t, out, "https://edr.example", "nstc.gov.tw", "48", "12")
	out, _ = c.run(0, "signal", "source", "remove", "src-1", "--agency", "nstc")
	holds(t, out, "edr")
	c.run(0, "signal", "source", "add", "--agency", "nstc", "--name", "edr", "--issuer", "https://edr.example", "--jwks-url", "https://edr.example/jwks.json")
	if s := c.signals.source; s.KeysURL != "https://edr.example/jwks.json" || len(s.Keys) != 0 {
		t.Errorf("%+v", s)
	}
	for _, args := range [][]string{
		{"signal", "source", "add", "--agency", "nstc", "--name", "x", "--issuer", "https://x", "--jwks", keys, "--jwks-url", "https://x/jwks"},
		{"signal", "receiver", "add", "--agency", "nstc"}, {"signal", "source", "add", "--agency", "nstc", "--name", "x", "--issuer", "https://x"},
		{"signal", "source", "add", "--agency", "nstc", "--name", "x", "--issuer", "https://x", "--jwks", keys + ".none"},
		{"signal", "receiver", "list"}, {"signal", "nothing"},
	} {
		c.run(exitUsage, args...)
	}
}
