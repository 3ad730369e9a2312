package telemetry_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/telemetry"
)

var plugins = map[string]wire.Cluster{"networknovelty": wire.ClusterNetwork}

func newMetrics(clock func() time.Time) *telemetry.Metrics {
	m := telemetry.NewMetrics("test", plugins, clock)
	m.Watch(telemetry.Sources{
		Devices:  func() map[wire.Standing]int { return map[wire.Standing]int{wire.StandingFresh: 3, "made-up": 2} },
		Sessions: func() int { return 7 }, Durable: func() uint64 { return 42 }, Writable: func() bool { return true },
		Policy:      func() (string, int) { return "abc", 45 },
		Connections: func() (int, uint64) { return 5, 6 },
		Strangers:   map[string]func() uint64{"agents": func() uint64 { return 9 }}, Shed: map[string]func() uint64{"ceremonies": func() uint64 { return 8 }},
		Signals: func() wire.SignalCounts {
			return wire.SignalCounts{Streams: [3]int{2, 1}, Pending: [3]int{4, 70}, Lag: [3]time.Duration{time.Second, time.Hour}, Missed: 3,
				Deliveries: [2][3]uint64{{11, 12, 13}, {14, 15}}}
		},
	})
	return m
}

func scrape(t testing.TB, m *telemetry.Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	telemetry.Handler(m, telemetry.NewReadiness(time.Now)).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatal(rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func expect(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

func TestMetrics(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := newMetrics(func() time.Time { return now })
	m.Access(wire.AccessGranted, true, 3*time.Microsecond)
	m.Access(wire.AccessGranted, true, 3*time.Microsecond)
	m.Access(wire.AccessRefused, false, time.Millisecond)
	m.Decision(&wire.Decision{Effect: wire.Allow}, time.Millisecond)
	m.Decision(&wire.Decision{Reasons: []wire.Reason{reason.New(reason.AuditClosed), reason.New(reason.Internal)}}, time.Millisecond)
	m.Verdicts([]wire.Verdict{{Plugin: "networknovelty"}, {Plugin: "networknovelty", Abstained: true}, {Plugin: "networknovelty", Missing: true, Abstained: true, Reasons: []wire.Reason{{Code: reason.PluginLate}}}}, time.Millisecond)
	m.VerdictTook("networknovelty", time.Millisecond)
	m.VerdictTook("somebody", time.Millisecond)
	m.Plugin("networknovelty", true)
	session, portal := wire.Asked{Type: wire.SubjectSession}, wire.Asked{Type: wire.ResourcePortal}
	m.Evaluation(&wire.Question{Subject: session, Resource: portal}, &wire.Answer{StepUp: true})
	m.Evaluation(&wire.Question{Subject: session}, &wire.Answer{Allowed: true})
	m.Evaluation(&wire.Question{Resource: portal}, new(wire.Answer))
	m.Evaluated("/por-1/access/v1/evaluation", time.Millisecond)
	m.Evaluated("/access/v1/search/subject", time.Millisecond)
	m.Evaluated("/access/v1/else", time.Millisecond)
	expect(t, scrape(t, m),
		`menshen_evaluations_total{effect="step-up",kind="portal"} 1`, `menshen_evaluations_total{effect="allow",kind="session"} 1`,
		`menshen_evaluations_total{effect="deny",kind="own-subject"} 1`, `menshen_evaluations_total{effect="allow",kind="portal"} 0`,
		`menshen_evaluation_duration_seconds_count{endpoint="evaluation"} 1`, `menshen_evaluation_duration_seconds_count{endpoint="search"} 1`,
		`menshen_evaluation_duration_seconds_count{endpoint="other"} 1`, `menshen_evaluation_duration_seconds_count{endpoint="evaluations"} 0`,
		`menshen_signal_streams{status="enabled"} 2`, `menshen_signal_streams{status="disabled"} 0`, `menshen_signal_pending{status="paused"} 70`, `menshen_signal_lag_seconds{status="paused"} 3600`,
		`menshen_signal_missed 3`, `menshen_signal_deliveries_total{method="push",outcome="failed"} 13`, `menshen_signal_deliveries_total{method="poll",outcome="refused"} 15`,
		`menshen_access_total{cached="yes",outcome="granted"} 2`, `menshen_access_total{cached="no",outcome="refused"} 1`,
		`menshen_access_total{cached="no",outcome="sign-in"} 0`, `menshen_access_duration_seconds_bucket{cached="yes",le="5e-06"} 2`,
		`menshen_decisions_total{effect="allow",reason="none"} 1`, `menshen_decisions_total{effect="deny",reason="ZT-SYS-003"} 1`,
		`menshen_plugin_verdicts_total{outcome="answered",plugin="networknovelty"} 1`, `menshen_plugin_verdicts_total{outcome="abstained",plugin="networknovelty"} 1`,
		`menshen_plugin_missing_total{plugin="networknovelty",reason="ZT-TRU-031"} 1`,
		`menshen_plugin_verdict_duration_seconds_count{plugin="networknovelty"} 1`, `menshen_plugin_verdict_duration_seconds_count{plugin="other"} 1`,
		`menshen_plugin_verdicts_total{outcome="missing",plugin="networknovelty"} 1`, `menshen_plugin_up{cluster="network",plugin="networknovelty"} 1`,
		`menshen_devices{standing="fresh"} 3`, `menshen_devices{standing="none"} 2`, `menshen_devices{standing="stale"} 0`, `menshen_sessions 7`,
		`menshen_audit_durable_sequence 42`, `menshen_audit_writable 1`, `menshen_policy_info{version="abc"} 1`, `menshen_policies 45`,
		`menshen_strangers_total{port="agents"} 9`, `menshen_shed_total{work="ceremonies"} 8`, `menshen_open_connections 5`, `menshen_nameless_upgrades_total 6`, `menshen_build_info{version="test"} 1`)
	m.Plugin("networknovelty", false)
	expect(t, scrape(t, m), `menshen_plugin_up{cluster="network",plugin="networknovelty"} 0`, `menshen_plugin_failures_total{plugin="networknovelty"} 1`)
}

// What comes from outside the PDP makes no new series, whatever it says.
func TestLabelsAreBounded(t *testing.T) {
	m := newMetrics(time.Now)
	before := strings.Count(scrape(t, m), "\nmenshen_")
	for _, name := range []string{"wang.xm", "192.0.2.10", "ZT-POL-999999"} {
		m.Decision(&wire.Decision{Effect: 77, Reasons: []wire.Reason{{Code: name}}}, 0)
		m.Verdicts([]wire.Verdict{{Plugin: name}}, 0)
		m.Plugin(name, true)
		m.Access(wire.AccessOutcome(200), false, 0)
		m.Evaluation(&wire.Question{Subject: wire.Asked{Type: name}, Resource: wire.Asked{Type: name}}, new(wire.Answer))
		m.Evaluated("/"+name, 0)
	}
	text := scrape(t, m)
	expect(t, text, `menshen_decisions_total{effect="deny",reason="other"} 3`, `menshen_plugin_verdicts_total{outcome="answered",plugin="other"} 3`,
		`menshen_access_total{cached="no",outcome="refused"} 3`)
	if after := strings.Count(text, "\nmenshen_"); after != before+2 {
		t.Errorf("%d series became %d", before, after)
	}
}

func TestAuditLag(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := newMetrics(func() time.Time { return now })
	first := m.Appending()
	now = now.Add(2 * time.Second)
	second := m.Appending()
	expect(t, scrape(t, m), `menshen_audit_pending 2`, `menshen_audit_lag_seconds 2`)
	first(nil)
	expect(t, scrape(t, m), `menshen_audit_pending 1`, `menshen_audit_lag_seconds 0`, `menshen_audit_append_failures_total 0`)
	second(errors.New("disk full"))
	expect(t, scrape(t, m), `menshen_audit_pending 0`, `menshen_audit_append_failures_total 1`, `menshen_audit_append_duration_seconds_count 2`)
}

func TestAKnownSessionsRequestIsCountedWithoutAllocating(t *testing.T) {
	m := newMetrics(time.Now)
	if n := testing.AllocsPerRun(1000, func() { m.Access(wire.AccessGranted, true, time.Microsecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccess(b *testing.B) {
	m := newMetrics(time.Now)
	b.ReportAllocs()
	for b.Loop() {
		m.Access(wire.AccessGranted, true, time.Microsecond)
	}
}
