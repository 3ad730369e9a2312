package pdp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	// ratesMinPeople keeps a rate from telling of one person.
	ratesMinPeople = 10
	ratesRows      = 1000
)

// taiwan is where shifts are counted: one zone, no daylight saving time.
var taiwan = time.FixedZone("UTC+8", 8*60*60)

// scoreReasons are the policy's reasons that come from the trust score.
var scoreReasons = []string{reason.TrustLow, reason.TrustMiddling, reason.TrustReadOnly, reason.TrustSensitive}

// Rates counts the decisions since a time of an agency's portals, of all where
// none is named. It implements admin.Decisions.
func (a adminDecisions) Rates(ctx context.Context, by wire.RatesBy, agency string, since time.Time) (wire.DecisionRates, error) {
	out := wire.DecisionRates{By: by, From: since.UTC(), MinPeople: ratesMinPeople}
	count := rateCount{rows: map[string]*rateRow{}}
	people := map[string]wire.Person{}
	for e, err := range audit.Since(a.dir, since) {
		if err != nil {
			return out, err
		}
		if ctx.Err() != nil {
			out.Until = e.At
			break
		}
		r := &e.Record
		var d wire.Decision
		if r.Kind != wire.AuditDecision || r.Subject == "" || agency != "" && r.Agency != agency ||
			json.Unmarshal(r.Detail, &wire.DecisionDetail{Decision: &d}) != nil {
			continue
		}
		person, known := people[r.Subject]
		if !known {
			if person, err = a.names.Person(context.WithoutCancel(ctx), r.Subject); err != nil && !errors.Is(err, store.ErrNotFound) {
				return out, err
			}
			people[r.Subject] = person
		}
		for _, name := range rateNames(by, r, person) {
			count.add(name, r.Subject, &d)
		}
	}
	out.Rows, out.FewPeople = count.told()
	return out, nil
}

// rateNames are the rows that a decision counts in.
func rateNames(by wire.RatesBy, r *wire.AuditRecord, person wire.Person) []string {
	switch by {
	case wire.RatesByShift:
		return []string{shift(r.At)}
	case wire.RatesByPortal:
		return []string{r.Portal}
	case wire.RatesByGroup:
		if len(person.Groups) > 0 {
			return person.Groups
		}
	case wire.RatesByAgency:
		if person.Agency != "" {
			return []string{person.Agency}
		}
	}
	return []string{"-"} // of none
}

// shift is when somebody worked: office from 8 to 18, evening to 24, night to
// 8, rest-day on Saturday and Sunday. Public holidays are not known here.
func shift(at time.Time) string {
	local := at.In(taiwan)
	switch day, hour := local.Weekday(), local.Hour(); {
	case day == time.Saturday || day == time.Sunday:
		return "rest-day"
	case hour < 8:
		return "night"
	case hour < 18:
		return "office"
	default:
		return "evening"
	}
}

type rateRow struct {
	wire.RateRow
	people map[string]bool // true: denied at least once
}

type rateCount struct{ rows map[string]*rateRow }

func (c *rateCount) add(name, person string, d *wire.Decision) {
	row, known := c.rows[name]
	if !known {
		if len(c.rows) >= ratesRows {
			name = "…" // what is beyond the bound is one row, not nothing
			row = c.rows[name]
		}
		if row == nil {
			row = &rateRow{RateRow: wire.RateRow{Name: name}, people: map[string]bool{}}
			c.rows[name] = row
		}
	}
	row.Decisions++
	row.people[person] = row.people[person] || d.Effect == wire.Deny
	switch d.Effect {
	case wire.Deny:
		row.Denials++
	case wire.StepUp:
		row.StepUps++
	case wire.Allow:
	}
	if slices.ContainsFunc(d.Reasons, func(r wire.Reason) bool { return slices.Contains(scoreReasons, r.Code) }) {
		row.ByScore++
	}
}

// told returns the rows that enough people stand behind, by name. The rows that
// are left out add up to what the sum of another breakdown, less the rows that
// are told, gives away: where fewer than ratesMinPeople stand behind them all,
// the smallest of the others is left out too.
func (c *rateCount) told() (rows []wire.RateRow, few int) {
	all := slices.SortedFunc(maps.Values(c.rows), func(a, b *rateRow) int {
		return cmp.Or(cmp.Compare(len(a.people), len(b.people)), strings.Compare(a.Name, b.Name))
	})
	apart := map[string]bool{} // the people behind what is left out
	for _, row := range all {
		row.People = len(row.people)
		if row.People < ratesMinPeople || few > 0 && len(apart) < ratesMinPeople {
			few++
			maps.Copy(apart, row.people)
			continue
		}
		for _, denied := range row.people {
			if denied {
				row.PeopleDenied++
			}
		}
		rows = append(rows, row.RateRow)
	}
	slices.SortFunc(rows, func(a, b wire.RateRow) int { return strings.Compare(a.Name, b.Name) })
	return rows, few
}
