package telemetry

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The labels of what applications ask (AuthZEN): what a question is about, what
// it was answered, and which endpoint a request went to.
var (
	evaluationKinds   = [...]string{kindPortal: "portal", kindSession: "session", kindOwn: "own-subject"}
	evaluationEffects = [...]string{effectDeny: "deny", effectStepUp: "step-up", effectAllow: "allow"}
	askedWays         = [...]string{wayOne: "evaluation", waySeveral: "evaluations", waySearch: "search", wayOther: other}
)

const (
	kindPortal  = iota // a session at the portal itself, by the access policy
	kindSession        // a session, by the access policy and the application's rules
	kindOwn            // a subject of the application's own, by its rules
)

const (
	effectDeny = iota
	effectStepUp
	effectAllow
)

const (
	wayOne = iota
	waySeveral
	waySearch
	wayOther
)

func (m *Metrics) makeEvaluations() {
	answers := m.counters("evaluations_total", "Questions of applications that were answered, each candidate of a search among them, by what they are about and effect.", "kind", "effect")
	for kind, name := range evaluationKinds {
		for effect, word := range evaluationEffects {
			m.evaluations[kind][effect] = answers.WithLabelValues(name, word)
		}
	}
	times := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "evaluation_duration_seconds",
		Help: "Time to answer an application's request, its record included, without the network.", Buckets: workBuckets}, []string{"endpoint"})
	m.registry.MustRegister(times)
	for way, name := range askedWays {
		m.askTime[way] = times.WithLabelValues(name)
	}
}

// Evaluation notes one answer to an application's question.
func (m *Metrics) Evaluation(q *wire.Question, a *wire.Answer) {
	kind, effect := kindOwn, effectDeny
	switch {
	case q.Subject.Type != wire.SubjectSession:
	case q.Resource.Type == wire.ResourcePortal:
		kind = kindPortal
	default:
		kind = kindSession
	}
	switch {
	case a.Allowed:
		effect = effectAllow
	case a.StepUp:
		effect = effectStepUp
	}
	m.evaluations[kind][effect].Inc()
}

// Evaluated notes how long a request of an application took, by its path.
func (m *Metrics) Evaluated(path string, took time.Duration) {
	way := wayOther
	switch {
	case strings.HasSuffix(path, "/access/v1/evaluation"):
		way = wayOne
	case strings.HasSuffix(path, "/access/v1/evaluations"):
		way = waySeveral
	case strings.Contains(path, "/access/v1/search/"):
		way = waySearch
	}
	m.askTime[way].Observe(took.Seconds())
}
