package generator

// The tables of what people do. Times are hours of the local day, lengths are
// days, the rest are probabilities unless a name says otherwise.
const (
	agencies        = 60
	agencyExponent  = 0.8 // sizes by Zipf
	groupSize       = 18
	commuters       = 0.2 // live in the neighbouring city
	agencyPortals   = 14
	sharedPortals   = 8 // of the whole government
	portalExponent  = 1.0
	portfolioMin    = 3
	portfolioMax    = 8
	newPortal       = 0.02  // a sign-in to another portal of the agency
	farPortal       = 0.005 // to one of the government's
	secondPortal    = 0.5   // a session goes on to another portal of the portfolio
	writes          = 0.15
	adminPeople     = 0.02
	adminGrade      = 0.5 // of an administrator's sign-ins
	rateDeviation   = 0.6 // of the logarithm of sign-ins per day
	joiners         = 0.10
	holidayWork     = 0.03
	shiftWorkers    = 0.06
	shiftWeekend    = 0.7
	absence         = 0.015 // a day on which a leave begins
	absenceDays     = 3.0   // mean
	startMean       = 8.6
	startDeviation  = 0.6 // between people
	dailyDeviation  = 0.4 // of one person
	afternoon       = 0.30
	afternoonMean   = 13.6
	evening         = 0.05
	eveningMean     = 20.3
	homeLeaseStable = 60.0 // mean days that a home keeps its address
	homeLeaseShort  = 3.0
	homeStable      = 0.5
	domesticTrip    = 0.010 // a day on which one begins
	domesticDays    = 1.5
	foreignTrip     = 0.0015
	foreignDays     = 5.0
	zoneFollows     = 0.7 // the laptop's clock follows the traveller
	secondLaptop    = 0.04
	secondShare     = 0.25       // of the sign-ins of who has one
	replacement     = 1.0 / 1100 // a laptop, each day
	borrowed        = 0.003
	failing         = 0.03 // a sign-in comes after one failure or two
	failingTwice    = 0.25
	claims          = 12
	claimBreaks     = 0.002 // each claim, each day
	claimHeals      = 0.25
	requestsMedian  = 28.0 // in activityMinutes
	requestsBetween = 0.5  // deviation of the logarithm between people
	requestsWithin  = 0.6
	activityMinutes = 10
	listedHomes     = 0.0005 // networks of the country that stand on the threat list by mistake
)

// manner is where somebody works: shares of office, home, mobile network.
type manner struct{ share, office, home, mobile float64 }

func manners() []manner {
	return []manner{
		{0.72, 0.93, 0.05, 0.02}, // at a desk
		{0.18, 0.55, 0.40, 0.05}, // half at home
		{0.10, 0.30, 0.20, 0.50}, // outside
	}
}

// holidays of spring 2026, local dates.
func holidays() map[string]bool {
	return map[string]bool{"2026-04-03": true, "2026-04-06": true, "2026-05-01": true, "2026-06-19": true}
}
