package backtest

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Shares of genuine sign-ins asked again that are reported; the last is the
// one that everything else is judged at.
func reauthentications() []float64 { return []float64{0.01, 0.02, 0.05} }

const judgedAt = 0.05

// fitShare is the part of the time that constants are fitted on.
const fitShare = 0.6

func repeatedRates() []float64 { return []float64{0.98, 0.995, 0.999} }
func repeatedAfter() []int     { return []int{1, 2, 4, 12, 40} }

// missingSweep are the κ tried with the device cluster down.
func missingSweep() []float64 { return []float64{0, 1, 2, 3, 4} }

// Judge fits and measures. source says where the events are from. ErrNothing
// where there is no genuine sign-in to judge.
func Judge(r *Replayed, f Fusion, source string) (*Report, error) {
	split := r.split()
	if !r.has(nil, split, len(r.sessions)) {
		return nil, ErrNothing
	}
	out := r.outline(source, split)
	shipped := f.Shipped()
	kinds := r.kinds()
	j := judge{r: r, f: f, split: split, kinds: kinds}
	inForce := j.scoring(shipped)
	out.Shipped = j.result(func(Label) *scoring { return inForce })
	if len(kinds) > 0 && r.has(kinds, 0, split) {
		all := r.fit(shipped, split, "")
		scores := j.scoring(all)
		candidate := j.result(func(Label) *scoring { return scores })
		out.Fitted, out.Candidate = &all, &candidate
	}
	if len(kinds) > 1 && r.has(kinds, 0, split) {
		held := j.result(func(k Label) *scoring { return j.scoring(r.fit(shipped, split, k)) })
		out.HeldOut = &held
	}
	return out, nil
}

// judge is what one report's measures share.
type judge struct {
	r     *Replayed
	f     Fusion
	split int
	kinds []Label
}

// scoring is one set of constants with the scores that it gave already.
type scoring struct {
	constants Constants
	up        []float64             // of all sessions
	down      map[downKey][]float64 // of the later part
}

func (j *judge) scoring(c Constants) *scoring {
	return &scoring{constants: c, up: j.r.scores(j.f, &c, ""), down: map[downKey][]float64{}}
}

// without are the scores of the later part with a cluster down, each of whose
// plugins counts for so much.
func (j *judge) without(s *scoring, key downKey) []float64 {
	if s.down[key] == nil {
		c := s.constants
		c.Missing = key.missing
		late := Replayed{plugins: j.r.plugins, sessions: j.r.sessions[j.split:]}
		s.down[key] = late.scores(j.f, &c, key.cluster)
	}
	return s.down[key]
}

// split is the index of the first session to judge.
func (r *Replayed) split() int {
	first, last := r.span()
	at := first.at.Add(time.Duration(fitShare * float64(last.at.Sub(first.at))))
	return sort.Search(len(r.sessions), func(i int) bool { return r.sessions[i].at.After(at) })
}

// span are the first and the last session that are no poisoning.
func (r *Replayed) span() (first, last *session) {
	first = &r.sessions[0]
	last = first
	for i := range r.sessions {
		if !r.sessions[i].poison {
			last = &r.sessions[i]
		}
	}
	return first, last
}

func (r *Replayed) outline(source string, split int) *Report {
	first, last := r.span()
	out := &Report{
		Source: source, People: r.people, Events: r.events, SignIns: len(r.sessions), From: first.at, To: last.at,
		Split: r.sessions[min(split, len(r.sessions)-1)].at, Fitting: map[Label]int{}, Judging: map[Label]int{},
	}
	for i := range r.sessions {
		switch s := &r.sessions[i]; {
		case s.poison:
		case i < split:
			out.Fitting[s.label]++
		default:
			out.Judging[s.label]++
		}
	}
	for i, p := range r.plugins {
		n := r.answers[i]
		out.Plugins = append(out.Plugins, PluginReport{
			Name: p.Name, Cluster: p.Cluster, Missing: n[missing], Abstained: n[abstained], Answered: n[answered], Areas: r.alone(i, split),
		})
	}
	return out
}

// alone is how well one plugin's verdict by itself tells each kind.
func (r *Replayed) alone(plugin, split int) map[Label]float64 {
	values := map[Label][]float64{}
	for i := split; i < len(r.sessions); i++ {
		if s := &r.sessions[i]; !s.poison {
			o := s.opinions[plugin]
			values[s.label] = append(values[s.label], o.confidence*o.llr)
		}
	}
	out := map[Label]float64{}
	for label, attacks := range values {
		if label != Genuine {
			c := newCurve(values[Genuine], attacks)
			out[label] = decimals(c.area())
		}
	}
	return out
}

// kinds are the attackers that are judged, the known ones first and in their order.
func (r *Replayed) kinds() []Label {
	set := map[Label]bool{}
	for i := range r.sessions {
		if l := r.sessions[i].label; l != Genuine {
			set[l] = true
		}
	}
	order := map[Label]int{Naive: 1, VPN: 2, Targeted: 3, VeryTargeted: 4}
	rank := func(l Label) int {
		if n := order[l]; n > 0 {
			return n
		}
		return len(order) + 1
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b Label) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
}

// has reports whether genuine sign-ins and all kinds occur in that part.
func (r *Replayed) has(kinds []Label, from, to int) bool {
	seen := map[Label]bool{}
	for i := from; i < to; i++ {
		if s := &r.sessions[i]; !s.poison {
			seen[s.label] = true
		}
	}
	return seen[Genuine] && !slices.ContainsFunc(kinds, func(k Label) bool { return !seen[k] })
}

// result measures, each kind with the constants that are made for it.
func (j *judge) result(constants func(Label) *scoring) Result {
	var out Result
	var even, shown reliability
	downs := map[downKey]*Down{}
	for _, kind := range j.kinds {
		c := constants(kind)
		k := j.one(kind, c, &even, &shown)
		out.Kinds = append(out.Kinds, k.KindResult)
		out.Poison = append(out.Poison, j.poison(kind, k.scores, k.threshold)...)
		j.down(kind, c, k, downs)
	}
	out.ECE, out.ECEShown, out.Bins = decimals(even.ece()), decimals(shown.ece()), even.bins()
	for _, key := range slices.SortedFunc(maps.Keys(downs), func(a, b downKey) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.missing, b.missing))
	}) {
		d := downs[key]
		n := float64(len(j.kinds))
		for _, kind := range j.kinds {
			d.BecomeMean += d.Become[kind]
		}
		d.BecomeMean, d.Reauthentication = decimals(d.BecomeMean/n), decimals(d.Reauthentication/n)
		out.Down = append(out.Down, *d)
	}
	return out
}

// oneKind is a kind's result with what the other measures need of it.
type oneKind struct {
	KindResult
	scores    []float64
	threshold float64
}

func (j *judge) one(kind Label, c *scoring, even, shown *reliability) oneKind {
	r := j.r
	k := oneKind{KindResult: KindResult{Kind: kind}, scores: c.up}
	var genuine, attacks []float64
	var all []scored
	variants := map[string][]float64{}
	for i := j.split; i < len(r.sessions); i++ {
		s := &r.sessions[i]
		if s.poison || (s.label != Genuine && s.label != kind) {
			continue
		}
		one := scored{k.scores[i], int32(s.person), s.label != Genuine} // #nosec G115 -- people fit into memory
		all = append(all, one)
		if one.attack {
			attacks = append(attacks, one.nats)
			variants[s.variant] = append(variants[s.variant], one.nats)
		} else {
			genuine = append(genuine, one.nats)
		}
	}
	at := newCurve(genuine, attacks)
	k.Attacks, k.Area, k.ROC = len(attacks), decimals(at.area()), at.roc()
	k.threshold = at.threshold(judgedAt)
	shares := reauthentications()
	low, high := interval(all, r.people, shares)
	for n, share := range shares {
		t := at.threshold(share)
		k.Rates = append(k.Rates, Rate{share, decimals(t), decimals(below(at.attacks, t)), decimals(low[n]), decimals(high[n])})
	}
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		if name != "" {
			slices.Sort(variants[name])
			k.Variants = append(k.Variants, VariantResult{name, len(variants[name]), decimals(below(variants[name], k.threshold))})
		}
	}
	k.ECE = j.calibration(all, len(genuine), len(attacks), even, shown)
	for _, rate := range repeatedRates() {
		t := at.catching(rate)
		k.Repeated = append(k.Repeated, Repeated{rate, decimals(below(at.genuine, t)), r.repeated(k.scores, t)})
	}
	return k
}

// calibration adds one kind to both reliabilities and returns its own error.
func (j *judge) calibration(all []scored, genuine, attacks int, even, shown *reliability) float64 {
	var own reliability
	gates := j.f.Gates()
	prior := sigmoid(gates)
	for _, s := range all {
		n, odds := float64(genuine), prior
		if s.attack {
			n, odds = float64(attacks), 1-prior
		}
		own.add(sigmoid(s.nats), 0.5/n, !s.attack)
		even.add(sigmoid(s.nats), 0.5/n, !s.attack)
		shown.add(sigmoid(s.nats+gates), odds/n, !s.attack)
	}
	return decimals(own.ece())
}

// repeated counts, from each person's first sign-in and over both parts, how
// many of the first n were asked again.
func (r *Replayed) repeated(scores []float64, threshold float64) []RepeatedAfter {
	asked := make([][]bool, r.people)
	for i := range r.sessions {
		if s := &r.sessions[i]; s.label == Genuine {
			asked[s.person] = append(asked[s.person], scores[i] < threshold)
		}
	}
	var out []RepeatedAfter
	for _, n := range repeatedAfter() {
		var counts []int
		for _, person := range asked {
			if len(person) >= n {
				counts = append(counts, trues(person[:n]))
			}
		}
		out = append(out, RepeatedAfter{SignIns: n, People: len(counts), Median: median(counts), Mean: decimals(mean(counts))})
	}
	return out
}

func trues(all []bool) int {
	n := 0
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

func median(counts []int) float64 {
	if len(counts) == 0 {
		return 0
	}
	slices.Sort(counts)
	m := len(counts) / 2
	if len(counts)%2 == 1 {
		return float64(counts[m])
	}
	return float64(counts[m-1]+counts[m]) / 2
}

func mean(counts []int) float64 {
	sum := 0.0
	for _, n := range counts {
		sum += float64(n)
	}
	return sum / math.Max(1, float64(len(counts)))
}

func (j *judge) poison(kind Label, scores []float64, threshold float64) []Poison {
	caught, all := map[int]int{}, map[int]int{}
	for i := range j.r.sessions {
		if s := &j.r.sessions[i]; s.poison && s.label == kind {
			all[s.familiar]++
			if scores[i] < threshold {
				caught[s.familiar]++
			}
		}
	}
	var out []Poison
	for _, n := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Poison{kind, n, all[n], decimals(float64(caught[n]) / float64(all[n]))})
	}
	return out
}

type downKey struct {
	cluster wire.Cluster
	missing float64
}

// down adds one kind to what happens while clusters are down.
func (j *judge) down(kind Label, c *scoring, up oneKind, downs map[downKey]*Down) {
	for _, g := range clusterList(j.r.plugins) {
		tried := []float64{c.constants.Missing}
		if g == wire.ClusterDevice {
			tried = slices.Compact(slices.Sorted(slices.Values(append(missingSweep(), c.constants.Missing))))
		}
		for _, missing := range tried {
			key := downKey{g, missing}
			if downs[key] == nil {
				downs[key] = &Down{Cluster: g, Missing: missing, Become: map[Label]float64{}}
			}
			become, asked := j.outage(kind, j.without(c, key), up)
			downs[key].Become[kind] = decimals(become)
			downs[key].Reauthentication += asked
		}
	}
}

// outage compares the later part's scores with a cluster down to those before.
func (j *judge) outage(kind Label, scores []float64, up oneKind) (become, asked float64) {
	late := j.r.sessions[j.split:]
	genuine, attacks := 0.0, 0.0
	for i := range scores {
		s := &late[i]
		again := scores[i] < up.threshold
		switch {
		case s.poison:
		case s.label == Genuine:
			genuine++
			if again {
				asked++
			}
		case s.label == kind:
			attacks++
			if !again && up.scores[j.split+i] < up.threshold {
				become++
			}
		}
	}
	return become / max(1, attacks), asked / max(1, genuine)
}
