package backtest

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Report is what a backtest found. The same events, plugins and constants give
// the same bytes as JSON.
type Report struct {
	// Source says where the events are from, so that they can be had again.
	Source  string    `json:"source"`
	People  int       `json:"people"`
	Events  int       `json:"events"`
	SignIns int       `json:"sign_ins"` // judged ones, attacks among them
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Split is where fitting ends and judging begins.
	Split   time.Time      `json:"split"`
	Fitting map[Label]int  `json:"fitting"` // sign-ins before the split
	Judging map[Label]int  `json:"judging"` // and after it
	Plugins []PluginReport `json:"plugins"`
	// Shipped is how the constants in force do.
	Shipped Result `json:"shipped"`
	// HeldOut is how fitted constants do, each kind of attacker judged by
	// constants that were fitted without it. Nil without attacks of two kinds.
	HeldOut *Result `json:"held_out,omitempty"`
	// Candidate is how constants fitted on all kinds do on the later part: what
	// would be seen if they came into force and no new kind of attacker did.
	Candidate *Result `json:"candidate,omitempty"`
	// Fitted are those constants.
	Fitted *Constants `json:"fitted,omitempty"`
}

// PluginReport is what one plugin did.
type PluginReport struct {
	Name      string       `json:"name"`
	Cluster   wire.Cluster `json:"cluster"`
	Answered  int          `json:"answered"`
	Abstained int          `json:"abstained"`
	Missing   int          `json:"missing"`
	// Areas under the curve of its verdict alone, by kind of attacker: 0.5 tells nothing.
	Areas map[Label]float64 `json:"areas,omitempty"`
}

// Result is how one set of constants, or one way to fit them, does.
type Result struct {
	Kinds []KindResult `json:"kinds"`
	// ECE is the calibration error of what the plugins add, at even odds, all
	// kinds of attackers alike; Shown that of the score as people see it, at the
	// odds that the gates of a fresh sign-in state.
	ECE      float64  `json:"ece"`
	ECEShown float64  `json:"ece_shown"`
	Bins     []Bin    `json:"bins"`
	Down     []Down   `json:"down"`
	Poison   []Poison `json:"poison,omitempty"`
}

// Point is one of a curve.
type Point struct {
	Reauthentication float64 `json:"reauthentication"`
	TPR              float64 `json:"tpr"`
}

// Rate is how many attacks are asked to authenticate again where that share of
// genuine sign-ins is, with the 95 % interval by people.
type Rate struct {
	Reauthentication float64 `json:"reauthentication"`
	Nats             float64 `json:"nats"` // threshold, of what plugins add
	TPR              float64 `json:"tpr"`
	Low              float64 `json:"low"`
	High             float64 `json:"high"`
}

// VariantResult is the rate at 5 % for a part of a kind.
type VariantResult struct {
	Variant string  `json:"variant"`
	Attacks int     `json:"attacks"`
	TPR     float64 `json:"tpr"`
}

// KindResult is how one kind of attacker fares.
type KindResult struct {
	Kind     Label           `json:"kind"`
	Attacks  int             `json:"attacks"`
	Area     float64         `json:"area"`
	ECE      float64         `json:"ece"`
	Rates    []Rate          `json:"rates"`
	Variants []VariantResult `json:"variants,omitempty"`
	ROC      []Point         `json:"roc"`
	Repeated []Repeated      `json:"repeated"`
}

// Repeated is how often the same person has been asked again after so many
// sign-ins, at the threshold that catches that share of this kind (Wiefling et
// al.'s measure). Share is the threshold's share of all genuine sign-ins.
type Repeated struct {
	TPR   float64         `json:"tpr"`
	Share float64         `json:"share"`
	After []RepeatedAfter `json:"after"`
}

// RepeatedAfter counts people with at least so many sign-ins, from their first.
type RepeatedAfter struct {
	SignIns int     `json:"sign_ins"`
	People  int     `json:"people"`
	Median  float64 `json:"median"`
	Mean    float64 `json:"mean"`
}

// Bin is one of the calibration's.
type Bin struct {
	Said  float64 `json:"said"`
	True  float64 `json:"true"`
	Share float64 `json:"share"`
}

// Down is what happens while a whole cluster gives no verdicts, at the
// threshold that asks 5 % of genuine sign-ins again when all is up. Become is,
// by kind, the share of all attacks that were asked again and now are not.
type Down struct {
	Cluster          wire.Cluster      `json:"cluster"`
	Missing          float64           `json:"missing"` // κ
	Become           map[Label]float64 `json:"become_allow"`
	BecomeMean       float64           `json:"become_allow_mean"`
	Reauthentication float64           `json:"reauthentication"`
}

// Poison is the rate of attacks caught at 5 % after so many of the same
// attacker's sign-ins were taken for the person.
type Poison struct {
	Kind     Label   `json:"kind"`
	Familiar int     `json:"familiar"`
	Attacks  int     `json:"attacks"`
	TPR      float64 `json:"tpr"`
}
