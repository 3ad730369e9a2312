package main

import (
	"math"
	"time"
)

// Let D be the great circle's kilometres between two places, r and r' their
// radii, and t the hours between the two times, one minute at least:
//
//	gap  = max(0, D − r − r')
//	q    = (gap / 1000 km/h) / t                  needed over available time
//	s    = q − 1 within 0 and 1, 0 if gap < 100 km
//	θ    = (j + κ·π) / (n + κ)                    this person appears to jump
//	llr  = min(0, s · ln(θ / ι))                  clipped to −limit
//
// of the other place whose s is the largest. n is on how many days the person
// was seen, j on how many with a jump, but for one of today or yesterday; before anything is known one day in two
// hundred has one, by an error of the data base or a gateway nobody named (π),
// and κ is how many days that is worth. ι is how often an impostor of somebody
// who was active within a day comes from too far away. Small distances and
// short times give 0: that nothing is impossible speaks for nobody.
const (
	earth     = 6371.0 // mean radius in km
	speed     = 1000.0 // km/h
	shortest  = 100.0  // km
	kappa     = 20.0
	prior     = 1.0 / 200
	impostors = .5
	limit     = 5.0
	// atOnce is what counts as the same time.
	atOnce = 5 * time.Minute
)

// spot is a place of the map.
type spot struct {
	Latitude  float64 `json:"latitude"`  // degrees, north positive
	Longitude float64 `json:"longitude"` // degrees, east positive
	Radius    float64 `json:"radius"`    // km within which it is probably right
}

// distance is the great circle's, in km, at the earth's mean radius.
func distance(a, b spot) float64 {
	const degree = math.Pi / 180
	north, east := (b.Latitude-a.Latitude)*degree/2, (b.Longitude-a.Longitude)*degree/2
	h := math.Pow(math.Sin(north), 2) + math.Cos(a.Latitude*degree)*math.Cos(b.Latitude*degree)*math.Pow(math.Sin(east), 2)
	return 2 * earth * math.Asin(math.Sqrt(min(h, 1)))
}

// journey is from one place to another.
type journey struct {
	gap  float64 // km
	time time.Duration
}

func travel(a, b spot, between time.Duration) journey {
	return journey{gap: max(0, distance(a, b)-a.Radius-b.Radius), time: max(between.Abs(), time.Minute)}
}

// impossibility is s above.
func (j journey) impossibility() float64 {
	if j.gap < shortest {
		return 0
	}
	return max(0, min(j.gap/speed/j.time.Hours()-1, 1))
}

// score is the formula above.
func score(impossibility float64, days, jumps int) float64 {
	if impossibility == 0 {
		return 0 // never −0
	}
	own := (float64(jumps) + kappa*prior) / (float64(days) + kappa)
	return max(-limit, min(impossibility*math.Log(own/impostors), 0))
}

// confidence grows with the history, from two thirds at the first day: what is
// impossible is so for a stranger too.
func confidence(days int) float64 { return float64(days+1) / float64(days+2) }
