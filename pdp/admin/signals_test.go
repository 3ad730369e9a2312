package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// signalling stands for receivers and sources.
type signalling struct {
	receivers []wire.SignalReceiver
	sources   []wire.SignalSource
}

func (s *signalling) AddReceiver(_ context.Context, r wire.SignalReceiver, by string) (wire.SignalReceiver, string, error) {
	r.ID, r.AddedBy = "rcv-1", by
	s.receivers = append(s.receivers, r)
	return r, "the-receivers-secret", nil
}

func (s *signalling) RemoveReceiver(_ context.Context, agency, id string) (wire.SignalReceiver, error) {
	for i, r := range s.receivers {
		if r.ID == id && r.Agency == agency {
			s.receivers = slices.Delete(s.receivers, i, i+1)
			return r, nil
		}
	}
	return wire.SignalReceiver{}, store.ErrNotFound
}

func (s *signalling) Receivers(string) []wire.SignalReceiver { return s.receivers }

func (s *signalling) AddSource(_ context.Context, r wire.SignalSource, by string) (wire.SignalSource, string, error) {
	r.ID, r.AddedBy = "src-1", by
	s.sources = append(s.sources, r)
	return r, "the-sources-secret", nil
}

func (s *signalling) RemoveSource(_ context.Context, agency, id string) (wire.SignalSource, error) {
	for i, r := range s.sources {
		if r.ID == id && r.Agency == agency {
			s.sources = slices.Delete(s.sources, i, i+1)
			return r, nil
		}
	}
	return wire.SignalSource{}, store.ErrNotFound
}

func (s *signalling) Sources(string) []wire.SignalSource { return s.sources }

// What is told to whom, and whose word counts, is an administrator's act: on
// record with who asked, and without the secret, nor what came as a source's
// keys: it may be a private one, by mistake.
func TestReceiversAndSourcesAreRecorded(t *testing.T) {
	f := open(t)
	if _, err := f.dir.CreateAgency(t.Context(), wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "NSTC"}); err != nil {
		t.Fatal(err)
	}
	_, err := f.AddReceiver(t.Context(), "nobody", client.NewReceiver{Name: "siem"})
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	_, err = f.AddSource(t.Context(), "nobody", client.NewSource{Name: "edr", Keys: []byte(`{}`)})
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)

	r, err := f.AddReceiver(t.Context(), "nstc", client.NewReceiver{Name: "siem", Push: []string{"https://siem.example/"}})
	if err != nil || r.Secret == "" || r.Receiver.AddedBy != "uid:0" || r.Receiver.Agency != "nstc" || len(r.Receiver.Push) != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	s, err := f.AddSource(t.Context(), "nstc", client.NewSource{Name: "edr", Issuer: "https://edr.example", Keys: []byte(`{"keys":[],"x":"a-secret"}`), Domains: []string{"nstc.gov.tw"}, Life: 2})
	if err != nil || s.Secret == "" || s.Source.Agency != "nstc" || s.Source.Life != 2 || string(s.Source.Keys) != `{"keys":[],"x":"a-secret"}` {
		t.Fatalf("%+v %v", s, err)
	}
	if all, err := f.Client.Receivers(t.Context(), "nstc"); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if all, err := f.Client.Sources(t.Context(), "nstc"); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	_, err = f.RemoveReceiver(t.Context(), "moda", "rcv-1")
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	if _, err := f.RemoveReceiver(t.Context(), "nstc", "rcv-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RemoveSource(t.Context(), "nstc", "src-1"); err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, a := range f.audit.acts(t) {
		if a.Outcome == outcomeDone {
			done = append(done, a.Action)
		}
	}
	if !slices.Equal(done, []string{"signal receiver add", "signal source add", "signal receiver remove", "signal source remove"}) {
		t.Error(done)
	}
	for _, r := range f.audit.records {
		if strings.Contains(string(r.Detail), "-secret") {
			t.Errorf("a secret is on record: %s", r.Detail)
		}
	}
	f.audit.room = len(f.audit.records)
	if _, err := f.AddReceiver(t.Context(), "nstc", client.NewReceiver{Name: "x"}); err == nil || len(f.signalling.receivers) != 0 {
		t.Error("a receiver was added that is not recorded")
	}
}
