package pdp

import (
	"fmt"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestRatesOfFewAreNotTold(t *testing.T) {
	c := rateCount{rows: map[string]*rateRow{}}
	low := &wire.Decision{Effect: wire.StepUp, Reasons: []wire.Reason{reason.New(reason.TrustLow)}}
	for n := range ratesMinPeople {
		person := fmt.Sprint("per-", n)
		c.add("night", person, &wire.Decision{Effect: wire.Allow})
		c.add("night", person, low)
		if n > 0 {
			c.add("office", person, &wire.Decision{})
		}
	}
	c.add("evening", "per-0", &wire.Decision{}) // with office: ten people
	c.add("night", "per-0", &wire.Decision{})
	c.add("night", "per-0", &wire.Decision{Effect: wire.Allow, Reasons: []wire.Reason{reason.New(reason.TrustReadOnly)}})
	rows, few := c.told()
	want := wire.RateRow{Name: "night", People: 10, Decisions: 22, StepUps: 10, Denials: 1, ByScore: 11, PeopleDenied: 1}
	if len(rows) != 1 || rows[0] != want || few != 2 {
		t.Errorf("%+v, %d of few", rows, few)
	}
}

// TestRatesOfFewAreNotWorkedOut: all decisions, which another breakdown tells,
// less those that are told, must not be those of few.
func TestRatesOfFewAreNotWorkedOut(t *testing.T) {
	c := rateCount{rows: map[string]*rateRow{}}
	add := func(name string, people int) {
		for n := range people {
			c.add(name, fmt.Sprint(name, n), &wire.Decision{})
		}
	}
	add("large", 30)
	add("small", 12)
	add("few", 3)
	if rows, few := c.told(); len(rows) != 1 || rows[0].Name != "large" || few != 2 {
		t.Errorf("%+v, %d of few", rows, few)
	}
	add("others", 7)
	if rows, few := c.told(); len(rows) != 2 || rows[1].Name != "small" || few != 2 {
		t.Errorf("enough stand behind those of few together: %+v, %d of few", rows, few)
	}
}

func TestRatesAreBounded(t *testing.T) {
	c := rateCount{rows: map[string]*rateRow{}}
	for n := range ratesRows + 20 {
		c.add(fmt.Sprint("group-", n), "per-1", &wire.Decision{})
	}
	if rest := c.rows["…"]; len(c.rows) != ratesRows+1 || rest == nil || rest.Decisions != 20 {
		t.Errorf("%d rows, the rest %+v", len(c.rows), rest)
	}
}

func TestShifts(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-20T00:00:00Z": "office",   // Friday 08:00 in Taiwan
		"2026-11-20T09:59:00Z": "office",   // 17:59
		"2026-11-20T10:00:00Z": "evening",  // 18:00
		"2026-11-19T23:59:00Z": "night",    // Friday 07:59
		"2026-11-20T16:00:00Z": "rest-day", // Saturday 00:00
		"2026-11-22T15:59:00Z": "rest-day", // Sunday 23:59
	} {
		at, err := time.Parse(time.RFC3339, text)
		if got := shift(at); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", text, got, want, err)
		}
	}
}

// TestRatesComeFromTheLog counts what was recorded, for the portals of one agency.
func TestRatesComeFromTheLog(t *testing.T) {
	s, _, _ := taken(t)
	a := adminDecisions{s.history, s.names}
	for agency, few := range map[string]int{"": 1, "moda": 1, "nstc": 0} {
		for _, by := range []wire.RatesBy{wire.RatesByAgency, wire.RatesByGroup, wire.RatesByShift, wire.RatesByPortal} {
			got, err := a.Rates(t.Context(), by, agency, time.Now().Add(-time.Hour))
			s.must(err)
			if len(got.Rows) != 0 || got.FewPeople != few || got.MinPeople != ratesMinPeople {
				t.Errorf("%q by %s: %+v", agency, by, got)
			}
		}
	}
}
