package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// taiwan is the time that policies see; it has no daylight saving.
var taiwan = time.FixedZone("UTC+8", 8*60*60)

func (v *view) askedRecord(class types.String) types.Record {
	return v.record("request", types.RecordMap{"class": class})
}

// riskKey keeps what was reported even past the time when one of the two levels
// ends: which of them it is is not known here, and their source drops it.
type riskKey struct{ person, device types.String }

func (v *view) riskRecord(key riskKey) types.Record {
	return v.record("risk", types.RecordMap{"person": key.person, "device": key.device})
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

type clockKey struct{ minute, weekday types.Long }

func (v *view) clock(at time.Time) clockKey {
	at = at.In(taiwan)
	key := clockKey{types.Long(at.Hour()*60 + at.Minute()), types.Long((int(at.Weekday())+6)%7 + 1)}
	if v.times != nil {
		key.minute = v.times.minute(key.minute)
	}
	return key
}

func (v *view) clockRecord(key clockKey) types.Record {
	return v.record("time", types.RecordMap{"minuteOfDay": key.minute, "weekday": key.weekday})
}
