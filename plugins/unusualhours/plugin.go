package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonUsual     = "ZT-TRU-130"
	reasonUnusual   = "ZT-TRU-131"
	reasonRestDay   = "ZT-TRU-132"
	reasonZone      = "ZT-TRU-133"
	reasonNoHistory = "ZT-TRU-134"
)

// Bounds of what is kept, and how few sign-ins allow an opinion.
const (
	maxPeople  = 20_000
	maxSignIns = 64
	minSignIns = 5
	retention  = 90 * 24 * time.Hour
)

const (
	verdictLife = 10 * time.Minute
	// unusual is the llr from which on a person is told of the hour.
	unusual = -0.5
	// Zones of the earth, in minutes east of UTC.
	westernmost, easternmost = -12 * 60, 14 * 60
)

// signIn is when a sign-in ended well, in Unix seconds, and what the client
// said of its zone.
type signIn struct {
	At          int64 `json:"at"`
	ZoneMinutes int   `json:"zone,omitempty"`
	ZoneKnown   bool  `json:"zone_known,omitempty"`
}

// signInOf reads an observation. A zone that is none on Earth is not known.
func signInOf(o contract.Observation) signIn {
	s := signIn{At: o.At.Unix()}
	if o.ZoneKnown && o.ZoneMinutes >= westernmost && o.ZoneMinutes <= easternmost {
		s.ZoneMinutes, s.ZoneKnown = o.ZoneMinutes, true
	}
	return s
}

// person is what is kept of one.
type person struct {
	SignIns []signIn `json:"sign_ins"` // oldest first
}

// unusualHours implements contract.Plugin, contract.Learner and, by People,
// contract.Keeper.
type unusualHours struct {
	*contract.People[person]
	calendar *calendar
	kernel   kernel
	// everybody is guarded by People's lock.
	everybody crowd
}

func newPlugin(days *calendar) *unusualHours {
	u := &unusualHours{calendar: days, kernel: newKernel()}
	u.People = contract.NewPeople(maxPeople, retention, func(p *person) { u.count(p.SignIns, -1) }).
		Counted(func(p *person) {
			p.SignIns = p.SignIns[max(0, len(p.SignIns)-maxSignIns):]
			u.count(p.SignIns, +1)
		})
	return u
}

// Describe implements contract.Plugin.
func (*unusualHours) Describe() contract.Description {
	return contract.Description{
		Name: "unusualhours", Version: "1", Cluster: contract.ClusterTime,
		Features: []contract.Feature{contract.FeatureZone}, Kinds: []contract.Kind{contract.KindSignIn},
		Keeps:     []string{"The times of a person's last 64 sign-ins, and the browser's time zone then."},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*unusualHours) Ready() bool { return true }

// Observe implements contract.Plugin. Only sign-ins that ended well teach.
func (u *unusualHours) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		if o.Kind == contract.KindSignIn && u.learn(o) {
			learned++
		}
	}
	return learned, nil
}

func (u *unusualHours) learn(o contract.Observation) (fresh bool) {
	one := signInOf(o)
	u.Teach(o.Person, o.At, func(p *person) {
		at, twice := slices.BinarySearchFunc(p.SignIns, one.At, byTime)
		if twice {
			return
		}
		p.SignIns = slices.Insert(p.SignIns, at, one)
		u.count(p.SignIns[at:at+1], +1)
		end := p.SignIns[len(p.SignIns)-1].At - int64(retention/time.Second)
		old := max(0, len(p.SignIns)-maxSignIns)
		for p.SignIns[old].At <= end {
			old++
		}
		u.count(p.SignIns[:old], -1)
		p.SignIns = slices.Clone(p.SignIns[old:])
		fresh = true
	})
	return fresh
}

func byTime(s signIn, at int64) int { return cmp.Compare(s.At, at) }

// Learn implements contract.Learner: a sign-in that an officer calls an
// impostor's is taken out of the person's history again.
func (u *unusualHours) Learn(_ context.Context, f contract.Feedback) error {
	if f.Genuine {
		return nil
	}
	u.Look(f.Observation.Person, f.Observation.At, func(p *person) {
		if at, found := slices.BinarySearchFunc(p.SignIns, f.Observation.At.Unix(), byTime); found {
			u.count(p.SignIns[at:at+1], -1)
			p.SignIns = slices.Delete(p.SignIns, at, at+1)
		}
	})
	return nil
}

func (u *unusualHours) count(signIns []signIn, n int) {
	for _, s := range signIns {
		u.everybody.add(u.moment(s, false), n)
	}
}

// Assess implements contract.Plugin.
func (u *unusualHours) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	var here, client opinion
	u.Look(o.Person, o.At, func(p *person) {
		now := signInOf(o)
		impostor := u.impostor(now, p)
		here = u.judge(p, now, impostor, false)
		client = here
		if now.ZoneKnown {
			client = u.judge(p, now, impostor, true)
		}
	})
	if here.signIns < minSignIns {
		return contract.Verdict{
			Abstained: true, TTL: verdictLife,
			Reasons: []contract.Reason{{Code: reasonNoHistory, Args: map[string]string{"sign_ins": strconv.Itoa(here.signIns)}}},
		}, nil
	}
	code := here.reason()
	if client.llr < here.llr && client.llr < unusual {
		code = reasonZone
	}
	local := o.At.In(u.calendar.zone)
	return contract.Verdict{
		LLR: min(here.llr, client.llr), Confidence: confidence(here.signIns), TTL: verdictLife,
		Reasons: []contract.Reason{{Code: code, Args: map[string]string{
			"sign_ins": strconv.Itoa(here.signIns), "time": fmt.Sprintf("%02d:%02d", local.Hour(), local.Minute()),
		}}},
	}, nil
}

// opinion is of one reading of the clock.
type opinion struct {
	llr     float64
	signIns int
	restDay bool // the first on a rest day
}

func (o opinion) reason() string {
	switch {
	case o.llr >= unusual:
		return reasonUsual
	case o.restDay:
		return reasonRestDay
	}
	return reasonUnusual
}

// impostor is the density of everybody else's sign-ins at that time.
func (u *unusualHours) impostor(now signIn, p *person) float64 {
	others := u.everybody
	for _, s := range p.SignIns {
		others.add(u.moment(s, false), -1)
	}
	return u.kernel.impostor(u.moment(now, false), &others)
}

// judge compares a time with the person's sign-ins, by the agency's clock or by
// the clients'.
func (u *unusualHours) judge(p *person, now signIn, impostor float64, byClient bool) opinion {
	m := u.moment(now, byClient)
	out, near := opinion{restDay: m.rest}, 0.0
	for _, s := range p.SignIns {
		if s.At > now.At || now.At-s.At >= int64(retention/time.Second) {
			continue
		}
		i := u.moment(s, byClient)
		out.signIns++
		out.restDay = out.restDay && !i.rest
		near += u.kernel.near(m, i)
	}
	out.llr = score(near, out.signIns, impostor)
	return out
}

// moment is a sign-in on the circle, by the agency's clock, or by the client's
// as far as that is known.
func (u *unusualHours) moment(s signIn, byClient bool) moment {
	if byClient && s.ZoneKnown {
		return u.calendar.at(s.At, int64(s.ZoneMinutes)*60)
	}
	return u.calendar.at(s.At, u.calendar.offset(s.At))
}
