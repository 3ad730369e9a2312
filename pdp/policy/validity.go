package policy

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Limits of a decision's life. MaxSignInAge is AAL3's reauthentication limit
// (requirements 15); MaxLife bounds a decision whose inputs never end.
const (
	MaxSignInAge = 12 * time.Hour
	MaxLife      = 5 * time.Minute
)

// maxThresholds bounds the numbers that are kept; beyond it decisions live
// only as long as shortLife.
const (
	maxThresholds = 4096
	shortLife     = 10 * time.Second
)

var number = regexp.MustCompile(`[0-9]+`)

// thresholds returns every number below MaxSignInAge that stands in the policy
// texts, ascending. Ages are compared with some of them; the others only make
// a decision be computed again a little earlier.
func thresholds(files map[string][]byte) []int64 {
	found := map[int64]struct{}{}
	for _, text := range files {
		for _, digits := range number.FindAll(text, -1) {
			n, err := strconv.ParseInt(string(digits), 10, 64)
			if err == nil && n > 0 && n <= int64(MaxSignInAge/time.Second) {
				found[n] = struct{}{}
				found[n+1] = struct{}{} // "<=" and ">" turn one second later
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// validUntil is the earliest end of the inputs, never before at.
func (e *Engine) validUntil(f *wire.Facts, at time.Time) time.Time {
	end := at.Add(MaxLife)
	if len(e.thresholds) > maxThresholds {
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
	for _, then := range [...]time.Time{f.SignIn.At, f.Binding.At} {
		if !then.IsZero() {
			earlier(e.nextThreshold(then, at))
		}
	}
	return end.UTC()
}

// nextThreshold returns when the age counted from then next passes a number of
// the policies; zero if it never does.
func (e *Engine) nextThreshold(then, at time.Time) time.Time {
	age := int64(at.Sub(then) / time.Second)
	i, _ := slices.BinarySearch(e.thresholds, max(age, 0)+1)
	if i == len(e.thresholds) {
		return time.Time{}
	}
	return then.Add(time.Duration(e.thresholds[i]) * time.Second)
}
