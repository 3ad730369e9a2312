package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// taiwan is the time that policies see; it has no daylight saving.
var taiwan = time.FixedZone("UTC+8", 8*60*60)

func asked(f *wire.Facts) types.Record {
	return types.NewRecord(types.RecordMap{"class": types.String(f.Request.Class)})
}

// risk keeps what was reported even past the time when one of the two levels
// ends: which of them it is is not known here, and their source drops it.
func risk(r *wire.RiskFacts) types.Record {
	return types.NewRecord(types.RecordMap{"person": riskLevel(r.Person), "device": riskLevel(r.Device)})
}

// riskLevel takes a level that nobody has heard of for the highest.
func riskLevel(l wire.RiskLevel) types.String {
	switch l {
	case "":
		return "none"
	case wire.RiskLow, wire.RiskMedium:
		return types.String(l)
	}
	return types.String(wire.RiskHigh)
}

func clock(at time.Time) types.Record {
	at = at.In(taiwan)
	return types.NewRecord(types.RecordMap{
		"minuteOfDay": types.Long(at.Hour()*60 + at.Minute()),
		"weekday":     types.Long((int(at.Weekday())+6)%7 + 1),
	})
}
