package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/menshen-zt/menshen/internal/wire"
)

// streams collects what is counted of the streams of events for others.
type streams struct {
	count func() wire.SignalCounts

	streams, pending, lag, missed, deliveries *prometheus.Desc
}

func newStreams(count func() wire.SignalCounts) *streams {
	return &streams{
		count:      count,
		streams:    describe("signal_streams", "Streams of events for others, by status.", "status"),
		pending:    describe("signal_pending", "Events that streams hold until they are acknowledged, by the streams' status.", "status"),
		lag:        describe("signal_lag_seconds", "Age of the oldest event that a stream holds, by the stream's status; 0 if none is held.", "status"),
		missed:     describe("signal_missed", "Events that full streams did not keep and have not told of yet."),
		deliveries: describe("signal_deliveries_total", "Events that left, by method and outcome: delivered, refused by the receiver, or failed and to be sent again.", "method", "outcome"),
	}
}

// Describe implements prometheus.Collector.
func (s *streams) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.streams, s.pending, s.lag, s.missed, s.deliveries} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (s *streams) Collect(to chan<- prometheus.Metric) {
	c := s.count()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for n, status := range wire.SignalStatuses {
		gauge(s.streams, float64(c.Streams[n]), status)
		gauge(s.pending, float64(c.Pending[n]), status)
		gauge(s.lag, c.Lag[n].Seconds(), status)
	}
	gauge(s.missed, float64(c.Missed))
	for m, method := range wire.SignalMethods {
		for o, outcome := range wire.SignalOutcomes {
			to <- prometheus.MustNewConstMetric(s.deliveries, prometheus.CounterValue, float64(c.Deliveries[m][o]), method, outcome)
		}
	}
}
