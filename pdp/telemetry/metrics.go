package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const namespace = "menshen"

// other stands for every value that a label's set does not hold, none for a
// decision without a reason.
const (
	other = "other"
	none  = "none"
)

// Buckets in seconds. A known session is answered in microseconds; a decision
// may ask plugins, and gives up after two seconds.
var (
	accessBuckets = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 2.5}
	workBuckets   = []float64{2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 2.5e-1, 5e-1, 1, 2.5, 5}
)

// accessOutcomes are the values of the label "outcome", by wire.AccessOutcome.
var accessOutcomes = [...]string{wire.AccessRefused: "refused", wire.AccessSignIn: "sign-in", wire.AccessGranted: "granted"}

// Metrics are the PDP's instruments. All are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	reasons  map[string]bool
	plugins  map[string]wire.Cluster

	access      [len(accessOutcomes)][2]prometheus.Counter // by outcome, and whether the decision stood already
	accessTime  [2]prometheus.Observer
	decisions   *prometheus.CounterVec
	decideTime  prometheus.Histogram
	appendTime  prometheus.Histogram
	appendFails prometheus.Counter
	appending   *appending
	assessTime  prometheus.Histogram
	verdicts    *prometheus.CounterVec
	verdictTime *prometheus.HistogramVec
	missing     *prometheus.CounterVec
	pluginUp    *prometheus.GaugeVec
	pluginFalls *prometheus.CounterVec
	evaluations [len(evaluationKinds)][len(evaluationEffects)]prometheus.Counter
	askTime     [len(askedWays)]prometheus.Observer
}

// NewMetrics returns instruments of one PDP with these registered plugins.
func NewMetrics(version string, plugins map[string]wire.Cluster, clock func() time.Time) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), reasons: map[string]bool{}, plugins: plugins, appending: newAppending(clock)}
	for _, code := range reason.Codes() {
		m.reasons[code] = true
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := m.gauges("build_info", "Always 1; the version stands in the label.", "version")
	build.WithLabelValues(version).Set(1)
	m.makeAccess()
	m.decisions = m.counters("decisions_total", "Decisions taken, by effect and first reason.", "effect", "reason")
	m.decideTime = m.histogram("decision_duration_seconds", "Time to take a decision, facts and policy together.", workBuckets)
	m.makeAudit()
	m.makePlugins()
	m.makeEvaluations()
	return m
}

func (m *Metrics) makeAccess() {
	requests := m.counters("access_total", "Requests that a proxy asked about, by outcome and whether the decision stood already.", "outcome", "cached")
	times := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "access_duration_seconds",
		Help: "Time to answer a proxy's question, without the network.", Buckets: accessBuckets}, []string{"cached"})
	m.registry.MustRegister(times)
	for cached, label := range [...]string{"no", "yes"} {
		m.accessTime[cached] = times.WithLabelValues(label)
		for outcome, name := range accessOutcomes {
			m.access[outcome][cached] = requests.WithLabelValues(name, label)
		}
	}
}

func (m *Metrics) makeAudit() {
	m.appendTime = m.histogram("audit_append_duration_seconds", "Time until a record is durable.", workBuckets)
	m.appendFails = m.counters("audit_append_failures_total", "Records that the audit log did not take.").WithLabelValues()
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "audit_pending",
		Help: "Records on their way to the disk."}, func() float64 { n, _ := m.appending.state(); return float64(n) }))
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "audit_lag_seconds",
		Help: "Age of the oldest record that is not durable yet; 0 if none waits."}, func() float64 { _, age := m.appending.state(); return age.Seconds() }))
}

func (m *Metrics) makePlugins() {
	m.assessTime = m.histogram("assessment_duration_seconds", "Time to ask all plugins about one session.", workBuckets)
	m.verdicts = m.counters("plugin_verdicts_total", "Plugins' answers, by plugin and outcome: answered, abstained or missing.", "plugin", "outcome")
	m.verdictTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "plugin_verdict_duration_seconds",
		Help: "Time until a plugin answered, or did not.", Buckets: workBuckets}, []string{"plugin"})
	m.registry.MustRegister(m.verdictTime)
	m.missing = m.counters("plugin_missing_total", "Verdicts that were missing, by plugin and reason.", "plugin", "reason")
	m.pluginUp = m.gauges("plugin_up", "1 while a plugin runs.", "plugin", "cluster")
	m.pluginFalls = m.counters("plugin_failures_total", "How often a plugin went down.", "plugin")
	for name, cluster := range m.plugins {
		// One that never came up was never said to have gone down.
		m.pluginUp.WithLabelValues(name, string(cluster)).Set(0)
		m.pluginFalls.WithLabelValues(name).Add(0)
	}
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// Access notes one answer to a proxy; cached says that its decision stood
// already. It allocates nothing.
func (m *Metrics) Access(outcome wire.AccessOutcome, cached bool, took time.Duration) {
	n := 0
	if cached {
		n = 1
	}
	if int(outcome) >= len(m.access) {
		outcome = wire.AccessRefused
	}
	m.access[outcome][n].Inc()
	m.accessTime[n].Observe(took.Seconds())
}

// Decision notes a decision that was taken.
func (m *Metrics) Decision(d *wire.Decision, took time.Duration) {
	m.decisions.WithLabelValues(d.Effect.String(), m.firstReason(d)).Inc()
	m.decideTime.Observe(took.Seconds())
}

func (m *Metrics) firstReason(d *wire.Decision) string {
	switch {
	case len(d.Reasons) == 0:
		return none
	case m.reasons[d.Reasons[0].Code]:
		return d.Reasons[0].Code
	}
	return other
}

// Verdicts notes what the plugins answered about one session.
func (m *Metrics) Verdicts(all []wire.Verdict, took time.Duration) {
	m.assessTime.Observe(took.Seconds())
	for i := range all {
		v, outcome := &all[i], "answered"
		switch {
		case v.Missing:
			outcome = "missing"
			m.missing.WithLabelValues(m.plugin(v.Plugin), m.whyMissing(v)).Inc()
		case v.Abstained:
			outcome = "abstained"
		}
		m.verdicts.WithLabelValues(m.plugin(v.Plugin), outcome).Inc()
	}
}

// whyMissing is one of the host's few reasons.
func (m *Metrics) whyMissing(v *wire.Verdict) string {
	if len(v.Reasons) > 0 && m.reasons[v.Reasons[0].Code] {
		return v.Reasons[0].Code
	}
	return other
}

// VerdictTook notes how long a plugin took for one verdict.
func (m *Metrics) VerdictTook(name string, took time.Duration) {
	m.verdictTime.WithLabelValues(m.plugin(name)).Observe(took.Seconds())
}

// Plugin notes that a plugin came up or went down.
func (m *Metrics) Plugin(name string, up bool) {
	cluster, known := m.plugins[name]
	if !known {
		return
	}
	if up {
		m.pluginUp.WithLabelValues(name, string(cluster)).Set(1)
		return
	}
	m.pluginUp.WithLabelValues(name, string(cluster)).Set(0)
	m.pluginFalls.WithLabelValues(name).Inc()
}

func (m *Metrics) plugin(name string) string {
	if _, known := m.plugins[name]; known {
		return name
	}
	return other
}

// Appending notes that a record goes to the audit log; the returned function
// is called with how that ended.
func (m *Metrics) Appending() func(error) {
	id, began := m.appending.begin()
	return func(err error) {
		m.appendTime.Observe(m.appending.end(id, began).Seconds())
		if err != nil {
			m.appendFails.Inc()
		}
	}
}

// Sources are read when somebody asks for the metrics.
type Sources struct {
	// Devices counts devices by standing.
	Devices  func() map[wire.Standing]int
	Sessions func() int
	// Durable is the sequence of the newest audit record on the disk.
	Durable  func() uint64
	Writable func() bool
	// Policy is the set in force and how many policies it holds.
	Policy func() (version string, policies int)
	// Connections are those that outlive their request, and how many upgrades
	// nobody can cut.
	Connections func() (open int, nameless uint64)
	// Strangers count, by port, who proved nothing; Shed, by kind of work, what
	// was told to come again.
	Strangers, Shed map[string]func() uint64
	// Signals are the streams of events for others.
	Signals func() wire.SignalCounts
}

// Watch adds what is read from elsewhere. It is called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(newWatched(s), newStreams(s.Signals)) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
