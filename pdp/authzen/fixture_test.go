package authzen

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/seal"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

const (
	hr    = "por-00000000000000000000000004"
	other = "por-0000000000000000000000000c"
)

// port is a Server before a judge, a directory and a log that the test
// commands. Who may what is a list of lines "subject action resource".
type port struct {
	*Server
	t testing.TB

	mu       sync.Mutex
	now      time.Time
	allowed  []string
	answer   func(line string) wire.Answer
	people   []string
	things   []string
	verbs    []string
	asked    []string
	records  []wire.AuditRecord
	logErr   error
	fallen   bool // what was answered holds no more
	question *wire.Question
	onAsk    func()
	heard    time.Time
	of       string // whose session is asked about
	owners   []string
	sealed   [][]byte
	sealErr  error
	box      int
}

func newPort(t testing.TB) *port {
	t.Helper()
	p := &port{t: t, now: noon, people: []string{"alice", "bob"}, things: []string{"record-1", "record-2"}, verbs: []string{"read", "write"},
		allowed: []string{"alice read record-1", "alice write record-1", "bob read record-1", "bob read record-2"}}
	var err error
	if p.Server, err = New(Config{
		Portals: p, Judge: p, Sealer: seal.New([32]byte{1}), Inputs: p, Recorder: p, Names: []string{"pdp.example", "127.0.0.1", "::1"},
		Clock: p.clock, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *port) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// PortalOf implements Portals.
func (*port) PortalOf(_ context.Context, secret string) (*wire.Portal, error) {
	switch secret {
	case "hr-secret":
		return &wire.Portal{ID: hr, Agency: "moda"}, nil
	case "other-secret":
		return &wire.Portal{ID: other, Agency: "moda"}, nil
	}
	return nil, errors.New("no such portal")
}

// Append implements Recorder.
func (p *port) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	if p.logErr != nil {
		return 0, p.logErr
	}
	p.records = append(p.records, r)
	return uint64(len(p.records)), nil
}

// Hear implements Judge.
func (p *port) Hear(_ *wire.Portal, at time.Time) Hearing {
	p.heard = at
	return p
}

// Inputs implements Hearing.
func (*port) Inputs(in *wire.EvaluationInputs) { in.Rules = 7 }

// Seal implements Inputs.
func (p *port) Seal(_ context.Context, agency string, owners []string, decision string, canonical []byte) (wire.SealedInputs, error) {
	p.owners = owners
	p.sealed = append(p.sealed, canonical)
	return wire.SealedInputs{Key: agency + " " + decision, Box: make([]byte, p.box)}, p.sealErr
}

// Open implements Hearing.
func (p *port) Open(q *wire.Question) Inquiry {
	p.question = q
	return p
}

// Answer implements Inquiry.
func (p *port) Answer(_ context.Context, subject, action, resource string) wire.Answer {
	line := subject + " " + action + " " + resource
	p.asked = append(p.asked, line)
	if p.onAsk != nil {
		p.onAsk()
	}
	if p.answer != nil {
		return p.answer(line)
	}
	return wire.Answer{Allowed: slices.Contains(p.allowed, line)}
}

func (p *port) Subjects() []string  { return p.people }
func (p *port) Resources() []string { return p.things }
func (p *port) Actions() []string   { return p.verbs }
func (p *port) Basis() wire.EvaluationBasis {
	return wire.EvaluationBasis{Application: "v1", Session: p.of, Person: p.of}
}
func (p *port) Stands() bool { return !p.fallen }

// send asks as hr, unless headers say otherwise.
func (p *port) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequestWithContext(p.t.Context(), method, "https://pdp.example"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Menshen-Portal-Secret", "hr-secret")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func (p *port) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	return p.send(http.MethodPost, path, body, headers...)
}

// want checks an answer's status and, of a problem, its code.
func want(t testing.TB, what string, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), code) {
		t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, code)
	}
}

// decode reads an answer that is 200.
func (p *port) read(w *httptest.ResponseRecorder, out any) {
	p.t.Helper()
	if w.Code != http.StatusOK {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		p.t.Fatal(err)
	}
}

func ask(subject, action, resource string) string {
	return fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"record","id":%q}}`, subject, action, resource)
}
