package contract

import "time"

// VerdictTTL is how long the verdicts of Abstain and Say hold: a host asks
// again far sooner, and forgets a plugin that is gone.
const VerdictTTL = 10 * time.Minute

// Abstain is the verdict of a plugin that has nothing to say of this
// situation, and why: the code of a reason, and names and values of its
// arguments in turn.
func Abstain(code string, args ...string) Verdict {
	return Verdict{Abstained: true, TTL: VerdictTTL, Reasons: []Reason{because(code, args)}}
}

// Say is a verdict of llr nats, held with a confidence of 0 to 1, with its
// reason as Abstain takes it.
func Say(llr, confidence float64, code string, args ...string) Verdict {
	return Verdict{LLR: llr, Confidence: confidence, TTL: VerdictTTL, Reasons: []Reason{because(code, args)}}
}

// because pairs names with values; a name without a value has an empty one.
func because(code string, args []string) Reason {
	r := Reason{Code: code}
	for len(args) > 0 {
		value := ""
		if len(args) > 1 {
			value = args[1]
		}
		if r.Args == nil {
			r.Args = map[string]string{}
		}
		r.Args[args[0]] = value
		args = args[min(2, len(args)):]
	}
	return r
}
