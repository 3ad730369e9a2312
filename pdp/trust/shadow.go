package trust

import (
	"strconv"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// maxShadows bounds how many plugins are tried at once.
const maxShadows = 4

// Trial is a set of weights, or a threshold, that is tried beside the one in
// force (requirements 13).
type Trial struct {
	// Weights that are tried; nil are those in force.
	Weights *fusion.Weights
	// Points is by how much every threshold of the score is raised in the trial.
	Points int
}

// Name tells trials apart in counts.
func (t *Trial) Name() string {
	name := "weights in force"
	if t.Weights != nil {
		name = "weights " + t.Weights.Name()
	}
	if t.Points != 0 {
		name += " thresholds " + signed(t.Points)
	}
	return name
}

func signed(n int) string {
	if n > 0 {
		return "+" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// Candidate is what a session's assessment would be with something that is
// tried.
type Candidate struct {
	Name string
	wire.TrustAssessment
}

// Try has every session assessed beside with a trial too; nil ends it.
func (t *Trust) Try(trial *Trial) {
	t.trial.Store(trial)
	t.note(func(n *news) { n.everybody = true })
}

// Tried returns what is tried, or nil.
func (t *Trust) Tried() *Trial { return t.trial.Load() }

// Candidates are a session's assessments as they would be. They count nowhere.
func (t *Trust) Candidates(sessionID string) []Candidate {
	if one := t.find(sessionID); one != nil {
		if known := one.current.Load(); known != nil {
			return known.candidates
		}
	}
	return nil
}

// candidates fuses what is tried. The verdict of a plugin in shadow is told
// among the terms of the assessment in force, where it adds nothing.
func (t *Trust) candidates(one *session, in fusion.Inputs, shadows []fusion.Plugin, real *wire.TrustAssessment) []Candidate {
	var all []Candidate
	add := func(name string, w *fusion.Weights, in fusion.Inputs) *wire.TrustAssessment {
		if one.beside[name] == nil {
			one.beside[name] = new(fusion.Rising)
		}
		a := publish(w, in, one.beside[name])
		a.AssessedAt, a.ValidUntil, a.Muted = real.AssessedAt, real.ValidUntil, real.Muted
		all = append(all, Candidate{name, a})
		return &all[len(all)-1].TrustAssessment
	}
	for _, p := range sorted(shadows)[:min(len(shadows), maxShadows)] {
		with := in
		with.Plugins = append(append([]fusion.Plugin(nil), in.Plugins...), p)
		for _, term := range add("plugin "+p.Name, t.config.Weights, with).Terms {
			if term.Name == p.Name && term.State != fusion.OfCluster {
				term.State = fusion.Shadowed
				real.Terms = append(real.Terms, term)
			}
		}
	}
	if trial := t.trial.Load(); trial != nil {
		w := trial.Weights
		if w == nil {
			w = t.config.Weights
		}
		a := add(trial.Name(), w, in)
		a.Score = max(0, min(100, a.Score-trial.Points))
	}
	if len(one.beside) > 2*maxShadows+2 { // trials that are over
		clear(one.beside)
	}
	return all
}
