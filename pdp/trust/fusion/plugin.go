package fusion

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Plugin is what is known of one registered plugin; its zero Verdict says that
// it never answered.
type Plugin struct {
	Name    string
	Cluster wire.Cluster
	Verdict wire.Verdict
	// Last is its newest evidence, for or against, whatever came after it.
	Last Evidence
	// Against is the newest evidence against of each set of reasons, since
	// Cleared, which is when there was evidence for: what is left when an officer
	// mutes the newest.
	Against []Evidence
	Cleared time.Time
}

// maxAgainst bounds the sets of reasons; the newest stay.
const maxAgainst = 4

// Evidence is what a usable verdict weighed when it was observed, in nats.
// Evidence against stays (as an alarm) when its plugin abstains or goes away,
// until there is evidence for.
type Evidence struct {
	Nats float64
	At   time.Time
	// Reasons are the verdict's.
	Reasons []wire.Reason
}

// alarm is what is left of evidence against, in nats, never above 0.
func (e Evidence) alarm(w *Weights, now time.Time) float64 {
	return min(0, decay(e.Nats, now.Sub(e.At), w.Verdict.HalfLifeNegative))
}

// Hear returns the plugin with one more verdict heard. In which order verdicts
// are heard changes nothing: of two, the newer counts, and of two of one
// moment the worse.
func (p Plugin) Hear(w *Weights, v wire.Verdict) Plugin {
	if v.ObservedAt.IsZero() {
		return p
	}
	p.Last = Remember(w, p.Last, v)
	p = p.note(Evidence{Nats: Weigh(w, &v), At: v.ObservedAt, Reasons: v.Reasons})
	if v.ObservedAt.After(p.Verdict.ObservedAt) || v.ObservedAt.Equal(p.Verdict.ObservedAt) && worse(w, &v, &p.Verdict) {
		p.Verdict = v
	}
	return p
}

// note keeps evidence against by its reasons, and drops what evidence for came
// after. In which order it comes changes nothing.
func (p Plugin) note(e Evidence) Plugin {
	switch {
	case e.Nats > 0 && e.At.After(p.Cleared):
		p.Cleared = e.At
	case !(e.Nats < 0):
		return p
	}
	all := slices.Clone(p.Against)
	if e.Nats < 0 {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Evidence) int { // the newest first, of one moment the worst
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Nats, b.Nats), slices.Compare(a.codes(), b.codes()))
	})
	p.Against = nil
	for _, one := range all {
		same := func(kept Evidence) bool { return slices.Equal(kept.codes(), one.codes()) }
		if len(p.Against) < maxAgainst && !one.At.Before(p.Cleared) && !slices.ContainsFunc(p.Against, same) {
			p.Against = append(p.Against, one)
		}
	}
	return p
}

// Share returns the plugin with the evidence against of the same plugin about
// another session of the same sign-in; evidence for is that session's own.
func (p Plugin) Share(of Plugin) Plugin {
	for _, e := range of.Against {
		p.Last = newer(p.Last, e)
		p = p.note(e)
	}
	return p
}

func (e Evidence) codes() []string {
	codes := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		codes[i] = r.Code
	}
	slices.Sort(codes)
	return codes
}

// worse orders verdicts of one moment: missing, against, abstained, for; of
// what weighs the same, what is less sure, then what ends sooner.
func worse(w *Weights, a, b *wire.Verdict) bool {
	if a.Missing != b.Missing {
		return a.Missing
	}
	ea, eb := Weigh(w, a), Weigh(w, b)
	if ea != eb {
		return ea < eb
	}
	return cmp.Or(cmp.Compare(sureness(a), sureness(b)), cmp.Compare(a.TTL, b.TTL)) < 0
}

// What a verdict is worth to the coverage.
const (
	silent = iota
	unsure
	sure
)

func sureness(v *wire.Verdict) int {
	switch {
	case !usable(v):
		return silent
	case v.Confidence < leastConfidence:
		return unsure
	}
	return sure
}

// Remember returns the newest evidence after one more verdict. An abstention,
// an absence and an answer that weighs nothing leave it as it was.
func Remember(w *Weights, old Evidence, v wire.Verdict) Evidence {
	return newer(old, Evidence{Nats: Weigh(w, &v), At: v.ObservedAt, Reasons: v.Reasons})
}

// newer returns the newer evidence, of one moment the worse; what weighs
// nothing is none.
func newer(old, e Evidence) Evidence {
	if e.Nats == 0 || e.At.Before(old.At) || e.At.Equal(old.At) && old.Nats <= e.Nats {
		return old
	}
	return e
}

// usable tells an answer from an abstention or an absence. An answer without
// confidence is an abstention: it must not fill the coverage.
func usable(v *wire.Verdict) bool {
	return !v.Missing && !v.Abstained && !v.ObservedAt.IsZero() && v.Confidence > 0 && !math.IsNaN(v.LLR)
}

// leastConfidence fills the coverage. What is said with less weighs what it
// weighs, but a portal that asks for coverage asks for somebody who knows.
const leastConfidence = 0.05

// Weigh is a verdict's e_i at the moment it was observed: c · clip(calibrate(
// llr), −b, +a), in nats; 0 for what is not a usable answer.
func Weigh(w *Weights, v *wire.Verdict) float64 {
	if !usable(v) {
		return 0
	}
	llr := v.LLR
	if c, ok := w.Calibration[v.Plugin]; ok {
		llr = c.Scale*llr + c.Shift
	}
	return min(v.Confidence, 1) * max(-w.Verdict.CapNegative, min(llr, w.Verdict.CapPositive))
}

// muted reports whether all of a plugin's reasons are among the quiet ones; a
// verdict without reasons cannot be named, and so not muted.
func muted(plugin string, reasons []wire.Reason, quiet []string) bool {
	for _, r := range reasons {
		if !slices.Contains(quiet, r.Code) && !slices.Contains(quiet, plugin+"/"+r.Code) {
			return false
		}
	}
	return len(reasons) > 0
}

// alarm is what is left of the newest evidence against. Where that is muted an
// older one for other reasons stands as if the newer had not been; muting never
// lowers.
func (p *Plugin) alarm(w *Weights, now time.Time, quiet []string) float64 {
	newest := p.Last.alarm(w, now)
	if !muted(p.Name, p.Last.Reasons, quiet) {
		return newest
	}
	for _, e := range p.Against {
		if !muted(p.Name, e.Reasons, quiet) {
			return max(newest, e.alarm(w, now))
		}
	}
	return 0
}

// contribution is e_i of the plugin now, whatever became of it.
func (p *Plugin) contribution(w *Weights, now time.Time, quiet []string) (float64, string, []wire.Reason) {
	v := &p.Verdict
	alarm := p.alarm(w, now, quiet)
	switch {
	case v.Missing || v.ObservedAt.IsZero():
		reasons := v.Reasons
		if len(reasons) == 0 {
			reasons = []wire.Reason{reason.New(reason.PluginDown, "plugin", p.Name)}
		}
		return alarm - w.Verdict.Missing, Missing, reasons
	case now.Sub(v.ObservedAt) >= v.TTL:
		return alarm - w.Verdict.Missing, Missing, []wire.Reason{reason.New(reason.PluginExpired, "plugin", p.Name)}
	case !usable(v):
		return alarm, Abstained, v.Reasons
	}
	switch e, age := Weigh(w, v), now.Sub(v.ObservedAt); {
	case e > 0:
		return decay(e, age, w.Verdict.HalfLifePositive), Answered, v.Reasons
	case e < 0 && muted(p.Name, v.Reasons, quiet):
		return alarm, Muted, v.Reasons
	case e < 0:
		return decay(e, age, w.Verdict.HalfLifeNegative), Answered, v.Reasons
	}
	return alarm, Answered, v.Reasons // no contrary evidence
}
