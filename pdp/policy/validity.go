package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Limits of a decision's life. MaxSignInAge is AAL3's reauthentication limit
// (requirements 15); MaxLife bounds a decision whose inputs never end.
const (
	MaxSignInAge = 12 * time.Hour
	MaxLife      = 5 * time.Minute
)

// maxThresholds bounds the numbers that are kept. Beyond it, and where policies
// calculate with the time, decisions live only as long as shortLife.
const (
	maxThresholds = 4096
	shortLife     = 10 * time.Second
)

// thresholds are when, by the policies' own numbers, time alone may turn a
// decision.
type thresholds struct {
	ages    []int64 // seconds, ascending
	minutes []int64 // of the day, ascending; always midnight
	short   bool
}

func newThresholds(r *reads) thresholds {
	t := thresholds{ages: turns(r.ages, unknownAge), minutes: turns(append(r.minutes, 0), minutesOfADay)}
	t.short = r.restless || len(t.ages) > maxThresholds
	return t
}

// turns returns where comparisons with numbers below a limit may turn: at the
// number, or one later for "<=" and ">".
func turns(numbers []int64, limit int64) []int64 {
	found := map[int64]struct{}{}
	for _, n := range numbers {
		if n >= 0 && n < limit {
			found[n], found[n+1] = struct{}{}, struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// validUntil is the earliest end of the inputs, never before at.
func (e *Engine) validUntil(f *wire.Facts, at time.Time) time.Time {
	end := at.Add(MaxLife)
	if e.thresholds.short {
		end = at.Add(shortLife)
	}
	earlier := func(t time.Time) {
		if !t.IsZero() && t.After(at) && t.Before(end) {
			end = t
		}
	}
	earlier(f.SignIn.At.Add(MaxSignInAge))
	earlier(f.Standing.ChangesAt)
	earlier(f.Standing.Result.ValidUntil)
	earlier(f.Trust.ValidUntil)
	earlier(f.Host.ChangesAt)
	earlier(f.Risk.ChangesAt)
	earlier(e.thresholds.nextMinute(at))
	for _, then := range [...]time.Time{f.SignIn.At, f.Binding.At} {
		if !then.IsZero() {
			earlier(e.thresholds.nextAge(then, at))
		}
	}
	return end.UTC()
}

// nextAge returns when the age counted from then next passes a number of the
// policies; zero if it never does.
func (t *thresholds) nextAge(then, at time.Time) time.Time {
	age := int64(at.Sub(then) / time.Second)
	i, _ := slices.BinarySearch(t.ages, max(age, 0)+1)
	if i == len(t.ages) {
		return time.Time{}
	}
	return then.Add(time.Duration(t.ages[i]) * time.Second)
}

const minutesOfADay = 24 * 60

// nextMinute returns when the minute of the day next passes a number of the
// policies, at the latest at Taiwan's midnight.
func (t *thresholds) nextMinute(at time.Time) time.Time {
	at = at.In(taiwan)
	next := int64(minutesOfADay)
	if i, _ := slices.BinarySearch(t.minutes, int64(at.Hour()*60+at.Minute())+1); i < len(t.minutes) {
		next = t.minutes[i]
	}
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, taiwan)
	return midnight.Add(time.Duration(next) * time.Minute)
}

// age is as good as an age for every comparison that the policies make: the last
// turn before it.
func (t *thresholds) age(seconds types.Long) types.Long {
	if seconds >= unknownAge {
		return seconds
	}
	return lastTurn(t.ages, seconds)
}

// minute is as good as a minute of the day.
func (t *thresholds) minute(ofDay types.Long) types.Long { return lastTurn(t.minutes, ofDay) }

func lastTurn(turns []int64, n types.Long) types.Long {
	i, at := slices.BinarySearch(turns, int64(n))
	switch {
	case at:
		return n
	case i == 0:
		return 0
	}
	return types.Long(turns[i-1])
}
