package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/menshen-zt/menshen/internal/wire"
)

// standings are the values of the label "standing".
var standings = [...]wire.Standing{wire.StandingFresh, wire.StandingSilent, wire.StandingStale, wire.StandingRefused}

// watched collects what other parts count for themselves.
type watched struct {
	sources Sources

	devices, sessions, durable, writable, policies, policy, open, nameless, strangers, shed *prometheus.Desc
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func newWatched(s Sources) *watched {
	return &watched{
		sources:   s,
		devices:   describe("devices", "Enrolled devices by what their last appraisal is worth now.", "standing"),
		sessions:  describe("sessions", "Live sessions."),
		durable:   describe("audit_durable_sequence", "Sequence of the newest audit record on the disk."),
		writable:  describe("audit_writable", "1 while the audit log takes records; at 0 everything is denied."),
		policies:  describe("policies", "Policies in the set in force."),
		policy:    describe("policy_info", "Always 1; the version of the set in force stands in the label.", "version"),
		open:      describe("open_connections", "Upgraded connections that are asked about again while they last."),
		nameless:  describe("nameless_upgrades_total", "Upgrades that their proxy cannot cut."),
		shed:      describe("shed_total", "What was told to come again, by kind of work.", "work"),
		strangers: describe("strangers_total", "Callers who proved nothing, by port.", "port"),
	}
}

// Describe implements prometheus.Collector.
func (w *watched) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{w.devices, w.sessions, w.durable, w.writable, w.policies, w.policy, w.open, w.nameless, w.strangers, w.shed} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watched) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counts, rest := w.sources.Devices(), 0
	for _, n := range counts {
		rest += n
	}
	for _, s := range standings {
		gauge(w.devices, float64(counts[s]), string(s))
		rest -= counts[s]
	}
	gauge(w.devices, float64(rest), "none")
	gauge(w.sessions, float64(w.sources.Sessions()))
	gauge(w.writable, number(w.sources.Writable()))
	version, policies := w.sources.Policy()
	gauge(w.policies, float64(policies))
	gauge(w.policy, 1, version)
	to <- prometheus.MustNewConstMetric(w.durable, prometheus.CounterValue, float64(w.sources.Durable()))
	open, nameless := w.sources.Connections()
	gauge(w.open, float64(open))
	to <- prometheus.MustNewConstMetric(w.nameless, prometheus.CounterValue, float64(nameless))
	for d, counts := range map[*prometheus.Desc]map[string]func() uint64{w.strangers: w.sources.Strangers, w.shed: w.sources.Shed} {
		for label, n := range counts {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n()), label)
		}
	}
}
