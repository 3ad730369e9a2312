//go:build linux

package adversary

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

const (
	handlersFile   = "pdp/api/handlers.go"
	strictjsonFile = "internal/strictjson/strictjson.go"
)

// mostMemory is what one request may cost this process, the attacker's own
// half included.
const mostMemory = 64 << 20

// raw sends a request that is honest but for what change does to its bytes, and
// bounds what answering it costs.
func raw(change func(*stage, []byte) []byte) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		d := s.enrolled(s.mine)
		asked := s.nonce(d)
		body := must(json.Marshal(wire.AttestRequest{Ticket: asked.Ticket, Evidence: must(d.Evidence(asked, s.claims()))(s)}))(s)
		body = change(s, body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answer := must(d.Link.Post(context.Background(), "/v1/attest", body))(s)
		runtime.ReadMemStats(&after)
		if cost := after.TotalAlloc - before.TotalAlloc; cost > mostMemory {
			s.Errorf("the answer cost %d MB", cost>>20)
		}
		o := attacker.Outcome{Answer: answer}
		if o.Code == "" {
			s.ok(json.Unmarshal(o.Body, &o.AttestAnswer))
		}
		return o
	}
}

var duplicates = check{
	file: strictjsonFile, code: "json.RejectUnknownMembers(true)", without: "json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(true)",
	also: [2]string{`"errors"`, `"errors"; "github.com/go-json-experiment/json/jsontext"`},
}

func requests() []attack {
	sending := func(change func(*wire.Evidence)) func(*stage) attacker.Outcome {
		return raw(func(s *stage, body []byte) []byte {
			var r wire.AttestRequest
			s.ok(json.Unmarshal(body, &r))
			change(&r.Evidence)
			return must(json.Marshal(r))(s)
		})
	}
	return []attack{
		{
			name: "a claim of 1 MB", after: "a bound on every length",
			try:  sending(func(e *wire.Evidence) { e.Claims = bytes.Repeat([]byte("a"), 1<<20) }),
			want: []string{reason.EvidenceMalformed}, check: check{file: proofFile, code: "case len(e.Claims) > wire.MaxClaimsBytes, ", without: "case "},
		},
		{
			name: "1 MB of garbage as event log", after: "a bound on every length",
			try:  sending(func(e *wire.Evidence) { e.EventLog = bytes.Repeat([]byte{0xa5}, 1<<20) }),
			want: []string{reason.EvidenceMalformed}, check: check{file: proofFile, code: "len(e.EventLog) > wire.MaxEventLogBytes,", without: ""},
		},
		{
			name: "a request of 6 MB", after: "a bound on every length",
			try:  sending(func(e *wire.Evidence) { e.Claims = bytes.Repeat([]byte("a"), 4<<20) }),
			want: []string{reason.TooLarge}, check: check{file: strictjsonFile, code: "if int64(len(raw)) > limit {", without: "if false {"},
		},
		{
			name: "a member that nobody knows", after: "two readers, two readings",
			try: raw(func(_ *stage, body []byte) []byte {
				return bytes.Replace(body, []byte(`{"ticket"`), []byte(`{"device":"dev_1","ticket"`), 1)
			}), want: []string{reason.BadRequest}, check: check{file: strictjsonFile, code: "json.RejectUnknownMembers(true)", without: "json.RejectUnknownMembers(false)"},
		},
		{
			name: "a member twice", after: "two readers, two readings",
			try: raw(func(_ *stage, body []byte) []byte {
				return bytes.Replace(body, []byte(`{"ticket"`), []byte(`{"ticket":"x","ticket"`), 1)
			}), want: []string{reason.BadRequest}, check: duplicates,
		},
		{
			name: "a second document behind the request", after: "two readers, two readings",
			try:  raw(func(_ *stage, body []byte) []byte { return append(body, []byte(`{"ticket":"x"}`)...) }),
			want: []string{reason.BadRequest}, check: check{
				file: strictjsonFile, code: "json.Unmarshal(raw, v, ", without: "json.UnmarshalDecode(jsontext.NewDecoder(bytes.NewReader(raw)), v, ",
				also: [2]string{`"errors"`, `"bytes"; "errors"; "github.com/go-json-experiment/json/jsontext"`},
			},
		},
	}
}
