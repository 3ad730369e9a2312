package fusion

import (
	"crypto/sha256"
	_ "embed" // weights.yaml
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

//go:embed weights.yaml
var weightsText []byte

// Weights are the constants of the fusion.
type Weights struct {
	Version string  `yaml:"version"`
	Base    float64 `yaml:"base"`
	SignIn  struct {
		AAL3     float64       `yaml:"aal3"`
		AAL2     float64       `yaml:"aal2"`
		HalfLife time.Duration `yaml:"half_life"`
	} `yaml:"sign_in"`
	Device struct {
		Affirming  float64                     `yaml:"affirming"`
		HalfLife   time.Duration               `yaml:"half_life"`
		Provenance map[wire.Provenance]float64 `yaml:"provenance"`
	} `yaml:"device"`
	Verdict struct {
		CapPositive      float64       `yaml:"cap_positive"`
		CapNegative      float64       `yaml:"cap_negative"`
		HalfLifePositive time.Duration `yaml:"half_life_positive"`
		HalfLifeNegative time.Duration `yaml:"half_life_negative"`
		Missing          float64       `yaml:"missing"`
	} `yaml:"verdict"`
	PluginsCap float64                        `yaml:"plugins_cap"`
	Clusters   map[wire.Cluster]ClusterWeight `yaml:"clusters"`
	Rising     struct {
		Margin float64       `yaml:"margin"`
		Hold   time.Duration `yaml:"hold"`
	} `yaml:"rising"`
	Calibration map[string]Calibration `yaml:"calibration"`

	digest string
}

// ClusterWeight is one cluster's w and ρ.
type ClusterWeight struct {
	Weight      float64 `yaml:"weight"`
	Correlation float64 `yaml:"correlation"`
}

// Calibration maps one plugin's log likelihood ratio onto the common scale.
type Calibration struct {
	Scale float64 `yaml:"scale"`
	Shift float64 `yaml:"shift"`
}

// DefaultWeights returns the shipped constants.
func DefaultWeights() (*Weights, error) { return ParseWeights("weights.yaml", weightsText) }

// ParseWeights reads constants strictly; file names them in errors.
func ParseWeights(file string, text []byte) (*Weights, error) {
	w := &Weights{}
	if err := yamlfile.Decode(file, text, w); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	w.digest = hex.EncodeToString(sum[:6])
	return w, nil
}

// Name returns the version and digest of the constants.
func (w *Weights) Name() string { return w.Version + "-" + w.digest }

// Check implements yamlfile.Checker: no constant may let absence or size of
// evidence turn the wrong way.
func (w *Weights) Check() []yamlfile.Fault {
	var faults []yamlfile.Fault
	need := func(ok bool, path, problem string) {
		if !ok {
			faults = append(faults, yamlfile.Fault{Path: path, Problem: problem})
		}
	}
	amount := func(v float64, path string) {
		need(v >= 0 && v <= 10, path, "must lie between 0 and 10")
	}
	life := func(d time.Duration, path string) {
		need(d >= time.Second && d <= 30*24*time.Hour, path, "must lie between 1s and 720h")
	}
	need(w.Version != "", "$.version", "must not be empty")
	need(math.Abs(w.Base) <= 10, "$.base", "must lie between -10 and 10")
	amount(w.SignIn.AAL3, "$.sign_in.aal3")
	amount(w.SignIn.AAL2, "$.sign_in.aal2")
	need(w.SignIn.AAL2 <= w.SignIn.AAL3, "$.sign_in.aal2", "must not be above aal3")
	life(w.SignIn.HalfLife, "$.sign_in.half_life")
	amount(w.Device.Affirming, "$.device.affirming")
	life(w.Device.HalfLife, "$.device.half_life")
	for p, part := range w.Device.Provenance {
		need(part >= 0 && part <= 1, "$.device.provenance."+string(p), "must lie between 0 and 1")
	}
	amount(w.Verdict.CapPositive, "$.verdict.cap_positive")
	amount(w.Verdict.CapNegative, "$.verdict.cap_negative")
	life(w.Verdict.HalfLifePositive, "$.verdict.half_life_positive")
	life(w.Verdict.HalfLifeNegative, "$.verdict.half_life_negative")
	amount(w.Verdict.Missing, "$.verdict.missing")
	amount(w.PluginsCap, "$.plugins_cap")
	need(w.Rising.Margin >= 0 && w.Rising.Margin <= 10, "$.rising.margin", "must lie between 0 and 10")
	life(w.Rising.Hold, "$.rising.hold")
	w.checkTables(need, amount)
	return faults
}

func (w *Weights) checkTables(need func(bool, string, string), amount func(float64, string)) {
	for _, c := range Clusters() {
		weight, ok := w.Clusters[c]
		path := "$.clusters"
		need(ok, path, fmt.Sprintf("needs the cluster %s", c))
		amount(weight.Weight, path)
		need(weight.Correlation >= 0 && weight.Correlation <= 1, path, fmt.Sprintf("%s: correlation must lie between 0 and 1", c))
	}
	need(len(w.Clusters) == len(Clusters()), "$.clusters", fmt.Sprintf("only %v are known", Clusters()))
	for name, c := range w.Calibration {
		need(c.Scale > 0 && c.Scale <= 10, "$.calibration", name+": scale must lie between 0 and 10, 0 excluded")
		need(math.Abs(c.Shift) <= 10, "$.calibration", name+": shift must lie between -10 and 10")
	}
}

// Clusters are all that there are.
func Clusters() []wire.Cluster {
	return []wire.Cluster{wire.ClusterNetwork, wire.ClusterDevice, wire.ClusterTime, wire.ClusterBehaviour, wire.ClusterPosture}
}
