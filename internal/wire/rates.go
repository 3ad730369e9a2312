package wire

import "time"

// RatesBy is what decision rates are broken down by.
type RatesBy string

// Breakdowns. A person of several groups counts in each of them.
const (
	RatesByAgency RatesBy = "agency" // the person's
	RatesByGroup  RatesBy = "group"  // the person's groups
	RatesByShift  RatesBy = "shift"  // office, evening, night, rest-day
	RatesByPortal RatesBy = "portal"
)

// DecisionRates tells how often people were let in, asked again and refused, by
// group, so that a rule that bears on some more than on others is seen (SP
// 800-63B-4; requirements 32).
type DecisionRates struct {
	By   RatesBy   `json:"by"`
	From time.Time `json:"from"`
	// Until is set where the log was read so far only.
	Until time.Time `json:"until,omitzero"`
	Rows  []RateRow `json:"rows"`
	// FewPeople is how many rows are left out because fewer than MinPeople stand
	// behind each, or behind all that are left out: a rate of few tells of one.
	FewPeople int `json:"few_people,omitempty"`
	MinPeople int `json:"min_people"`
}

// RateRow counts the recorded decisions of one group. Uses of a decision that
// stands are not decisions.
type RateRow struct {
	Name      string `json:"name"`
	People    int    `json:"people"`
	Decisions int    `json:"decisions"`
	StepUps   int    `json:"step_ups"`
	Denials   int    `json:"denials"`
	// ByScore is how many of the step-ups, denials and read-only answers had the
	// trust score among their reasons.
	ByScore int `json:"by_score"`
	// PeopleDenied is how many people were denied at least once.
	PeopleDenied int `json:"people_denied"`
}
