package generator

import "time"

// poison attacks some people again and again after the last day: each attack is
// judged and then taken for the person, one each working day. The attacker keeps
// laptop, network and hour, which is what makes them familiar.
func (w *World) poison(r *recorder) {
	n := min(w.config.PoisonedPeople, len(w.people)/len(w.attackers))
	for k := range w.attackers {
		for i := range n {
			p := w.people[i*len(w.attackers)+k]
			d := newDice(w.config.Seed, streamPoison+uint64(p.index)) // #nosec G115 -- not negative
			a := raid{attacker: w.attackers[k], dice: d}
			w.prepare(p, &a)
			if a.pool != nil {
				a.near, a.pool = a.pool.any(d), nil // one /24
			}
			day := w.config.Days
			for familiar := range w.config.PoisonSignIns {
				for day++; w.presence(p, day) < 1; day++ {
				}
				mark := a.mark()
				mark.Poison, mark.Familiar = true, familiar
				r.record(p, w.strike(p, &a, day), mark)
			}
		}
	}
}

// officeHour is a moment as people of the country work.
func (w *World) officeHour(p *person, day int, d dice) time.Time {
	if d.chance(workingDay) {
		day = w.workday(p, day, d)
	}
	h := d.normal(startMean, startDeviation+dailyDeviation)
	if d.chance(afternoon) {
		h = d.normal(afternoonMean, 1)
	}
	return w.moment(day, h)
}

// workday moves a free day to an earlier one on which this person works.
func (w *World) workday(p *person, day int, d dice) int {
	for range 14 {
		if d.chance(w.presence(p, day)) {
			return day
		}
		day = max(p.joined, day-1)
	}
	return day
}
