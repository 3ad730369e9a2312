package main

import (
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// account is what is kept of one person. Numbers are as they stood at At.
type account struct {
	At time.Time `json:"at"`
	// Minutes and Hours are failures, halved that fast.
	Minutes float64 `json:"minutes"`
	Hours   float64 `json:"hours"`
	// Failures and SignIns that ended well, over Seconds, halved every 30 days.
	Failures float64 `json:"failures"`
	SignIns  float64 `json:"sign_ins"`
	Seconds  float64 `json:"seconds"`
	// Good and Failed are the last ones.
	Good   time.Time `json:"good"`
	Failed time.Time `json:"failed"`
}

const maxCount = 1e6

// tame puts numbers into bounds that another program wrote.
func tame(a *account) {
	for _, n := range []*float64{&a.Minutes, &a.Hours, &a.Failures, &a.SignIns} {
		*n = max(0, min(*n, maxCount))
	}
	a.Seconds = max(0, min(a.Seconds, mean(baseHalfLife)))
}

// forward lets time pass.
func (a *account) forward(to time.Time) {
	if a.At.IsZero() {
		a.At = to
	}
	age := to.Sub(a.At)
	if age <= 0 {
		return
	}
	a.Minutes *= halved(age, minutes)
	a.Hours *= halved(age, hours)
	left := halved(age, baseHalfLife)
	a.Failures *= left
	a.SignIns *= left
	a.Seconds = a.Seconds*left + mean(baseHalfLife)*(1-left)
	a.At = to
}

// learn takes in a sign-in, and reports whether it is new.
func (a *account) learn(kind contract.Kind, at time.Time) bool {
	last := &a.Good
	if kind == contract.KindFailedSignIn {
		last = &a.Failed
	}
	if !at.After(*last) {
		return false
	}
	*last = at
	a.forward(at)
	if kind == contract.KindSignIn {
		a.SignIns = min(a.SignIns+1, maxCount)
		return true
	}
	for _, n := range []*float64{&a.Minutes, &a.Hours, &a.Failures} {
		*n = min(*n+1, maxCount)
	}
	return true
}

// worst is the lower of A and B, and the failures that it counts.
func (a account) worst(at time.Time) (llr, failures float64) {
	a.forward(at)
	row, slow := inARow(a.Minutes, a.Failures, a.SignIns), above(a.Hours, overHours(a.Failures, a.Seconds))
	if row <= slow {
		return row, a.Minutes
	}
	return slow, a.Hours
}
