package backtest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// real is the PDP's own fusion.
type real struct{ weights *fusion.Weights }

func (f real) Shipped() Constants {
	c := Constants{
		CapPositive: f.weights.Verdict.CapPositive, CapNegative: f.weights.Verdict.CapNegative,
		Missing: f.weights.Verdict.Missing, PluginsCap: f.weights.PluginsCap,
		Clusters: map[wire.Cluster]Weight{},
	}
	for g, k := range f.weights.Clusters {
		c.Clusters[g] = Weight(k)
	}
	return c
}

func (real) Gates() float64 { return 2.5 }

func (f real) With(c *Constants) func([]wire.Verdict) float64 {
	w := *f.weights
	w.Base, w.PluginsCap = 0, c.PluginsCap
	w.Verdict.CapPositive, w.Verdict.CapNegative, w.Verdict.Missing = c.CapPositive, c.CapNegative, c.Missing
	w.Clusters, w.Calibration = map[wire.Cluster]fusion.ClusterWeight{}, map[string]fusion.Calibration{}
	for g, k := range c.Clusters {
		w.Clusters[g] = fusion.ClusterWeight(k)
	}
	for name, k := range c.Calibration {
		w.Calibration[name] = fusion.Calibration(k)
	}
	return func(verdicts []wire.Verdict) float64 {
		var plugins []fusion.Plugin
		for _, v := range verdicts {
			v.ObservedAt, v.TTL = monday, time.Hour
			plugins = append(plugins, fusion.Plugin{Name: v.Plugin, Cluster: v.Cluster}.Hear(&w, v))
		}
		return fusion.Fuse(&w, fusion.Inputs{Now: monday, Plugins: plugins}).Nats
	}
}

func pdpFusion(t *testing.T) real {
	t.Helper()
	w, err := fusion.DefaultWeights()
	if err != nil {
		t.Fatal(err)
	}
	return real{w}
}

// crowd is a replay that was drawn: three plugins, two of them of one cluster,
// and two kinds of attackers.
func crowd(seed uint64) *Replayed {
	d := rand.New(rand.NewPCG(seed, 1))
	r := &Replayed{people: 40, plugins: []Plugin{
		{Name: "a", Cluster: wire.ClusterNetwork}, {Name: "b", Cluster: wire.ClusterNetwork}, {Name: "c", Cluster: wire.ClusterDevice},
	}}
	for i := range 4000 {
		s := session{person: d.IntN(40), at: monday.Add(time.Duration(i) * time.Minute), label: Genuine}
		middle := 1.0
		switch i % 10 {
		case 0:
			s.label, middle = Naive, -2
		case 1:
			s.label, middle, s.variant = Targeted, -0.5, "x"
		}
		shared := d.NormFloat64()
		for range r.plugins {
			o := opinion{middle + shared + d.NormFloat64(), 0.9, answered}
			if d.IntN(20) == 0 {
				o = opinion{said: abstained}
			}
			s.opinions = append(s.opinions, o)
		}
		r.sessions = append(r.sessions, s)
	}
	r.count()
	return r
}

func TestTheFitSeesWhatTheFusionComputes(t *testing.T) {
	f, r := pdpFusion(t), crowd(7)
	c := f.Shipped().clone()
	c.PluginsCap = math.Inf(1)
	c.Calibration["b"] = Calibration{0.7, -0.4}
	c.Clusters[wire.ClusterNetwork] = Weight{1.3, 0.4}
	nats := f.With(&c)
	for i := range r.sessions {
		sum := 0.0
		for _, g := range clusterList(r.plugins) {
			sum += c.Clusters[g].Weight * r.clusterNats(&c, &r.sessions[i], g)
		}
		if got := nats(r.verdicts(nil, &r.sessions[i], "")); !near(got, sum, 1e-9) {
			t.Fatalf("session %d: the fusion says %v, the fit %v", i, got, sum)
		}
	}
}

func TestWhatIsHeldOutTeachesNothing(t *testing.T) {
	f, r := pdpFusion(t), crowd(8)
	split := r.split()
	before := r.fit(f.Shipped(), split, Naive)
	for i := range r.sessions {
		if s := &r.sessions[i]; s.label == Naive || i >= split {
			for p := range s.opinions {
				s.opinions[p] = opinion{9, 1, answered}
			}
		}
	}
	if after := r.fit(f.Shipped(), split, Naive); !reflect.DeepEqual(before, after) {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestWhatIsFittedKeepsToTheFusionsBounds(t *testing.T) {
	f, r := pdpFusion(t), crowd(9)
	for i := range r.sessions { // a plugin that is wrong about everybody, and one that is silent
		r.sessions[i].opinions[2].llr *= -1
		r.sessions[i].opinions[1] = opinion{}
	}
	c := r.fit(f.Shipped(), r.split(), "")
	for g, k := range c.Clusters {
		if k.Weight < 0 || k.Correlation < 0 || k.Correlation > 1 {
			t.Errorf("%s: %+v", g, k)
		}
	}
	for name, k := range c.Calibration {
		if k.Scale < minScale || k.Scale > maxScale || math.Abs(k.Shift) > maxShift {
			t.Errorf("%s: %+v", name, k)
		}
	}
	if c.Clusters[wire.ClusterNetwork].Correlation != 1 {
		t.Error("a correlation was measured where one plugin never spoke")
	}
}

func TestAReportIsTheSameAgain(t *testing.T) {
	f := pdpFusion(t)
	var reports, texts, pictures [2][]byte
	for n := range 2 {
		r, err := Judge(crowd(10), f, "a drawn crowd")
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		WriteText(&text, r, func(english, _ string) string { return english })
		reports[n], err = json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		texts[n], pictures[n] = text.Bytes(), Picture(r, func(_, chinese string) string { return chinese })
	}
	if !bytes.Equal(reports[0], reports[1]) || !bytes.Equal(texts[0], texts[1]) || !bytes.Equal(pictures[0], pictures[1]) {
		t.Error("the same replay gave another report")
	}
}

func TestAReportSaysWhatHappened(t *testing.T) {
	r := crowd(11)
	report, err := Judge(r, pdpFusion(t), "x & <y>")
	if err != nil {
		t.Fatal(err)
	}
	if report.HeldOut == nil || report.Fitted == nil || len(report.HeldOut.Kinds) != 2 {
		t.Fatalf("%+v", report)
	}
	naive, targeted := report.HeldOut.Kinds[0], report.HeldOut.Kinds[1]
	if naive.Kind != Naive || targeted.Kind != Targeted || naive.Area <= targeted.Area || targeted.Area < 0.6 {
		t.Errorf("areas %v %v", naive.Area, targeted.Area)
	}
	for _, k := range report.HeldOut.Kinds {
		for i, rate := range k.Rates {
			if rate.TPR < rate.Low || rate.TPR > rate.High || (i > 0 && rate.TPR < k.Rates[i-1].TPR) {
				t.Errorf("%s: %+v", k.Kind, k.Rates)
			}
		}
	}
	if len(targeted.Variants) != 1 || targeted.Variants[0].TPR != targeted.Rates[2].TPR {
		t.Errorf("%+v", targeted.Variants)
	}
	if report.Fitting[Genuine]+report.Judging[Genuine] != 3200 || report.Judging[Naive] < 150 {
		t.Errorf("%v %v", report.Fitting, report.Judging)
	}
	wellFormed(t, Picture(report, func(english, _ string) string { return english }))
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the picture: %v", err)
		}
	}
}

func TestAClusterThatIsDownCountsAsMissing(t *testing.T) {
	report, err := Judge(crowd(12), pdpFusion(t), "")
	if err != nil {
		t.Fatal(err)
	}
	last := map[wire.Cluster]Down{}
	for _, d := range report.Shipped.Down {
		if before, ok := last[d.Cluster]; ok && (d.Reauthentication < before.Reauthentication || d.BecomeMean > before.BecomeMean) {
			t.Errorf("more for what is missing asked fewer: %+v then %+v", before, d)
		}
		last[d.Cluster] = d
	}
	if len(last) != 2 || len(report.Shipped.Down) != 1+len(missingSweep()) {
		t.Errorf("%+v", report.Shipped.Down)
	}
}

func TestWithoutAttacksNothingIsFitted(t *testing.T) {
	r := crowd(13)
	for i := range r.sessions {
		r.sessions[i].label = Genuine
	}
	report, err := Judge(r, pdpFusion(t), "")
	if err != nil || report.Fitted != nil || report.HeldOut != nil {
		t.Errorf("%v %+v", err, report)
	}
	for i := range r.sessions {
		r.sessions[i].label = Naive
	}
	if _, err := Judge(r, pdpFusion(t), ""); !errors.Is(err, ErrNothing) {
		t.Errorf("no genuine sign-in: %v", err)
	}
}

func TestRepeatedReauthenticationByHand(t *testing.T) {
	r := &Replayed{people: 2}
	var scores []float64
	for n, nats := range []float64{-1, 5, -1, -1, 5} { // one person: asked, not, asked, asked, not
		r.sessions = append(r.sessions, session{person: 0, label: Genuine, at: monday.Add(time.Duration(n) * time.Hour)})
		scores = append(scores, nats)
	}
	r.sessions = append(r.sessions, session{person: 1, label: Genuine}, session{person: 1, label: Naive})
	scores = append(scores, 5, -9)
	got := fmt.Sprint(r.repeated(scores, 0))
	if want := "[{1 2 0.5 0.5} {2 1 1 1} {4 1 3 3} {12 0 0 0} {40 0 0 0}]"; got != want {
		t.Errorf("%s", got)
	}
}
