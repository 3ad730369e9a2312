package contract

import (
	"math"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

func toProtoObservation(o Observation) *inferencepb.Observation {
	return &inferencepb.Observation{
		Person: o.Person, Device: o.Device, AtUnixNano: o.At.UnixNano(), Ip: o.IP,
		ZoneMinutes: clampInt32(o.ZoneMinutes), Success: o.Success,
	}
}

func fromProtoObservation(o *inferencepb.Observation) Observation {
	return Observation{
		Person: o.GetPerson(), Device: o.GetDevice(), At: time.Unix(0, o.GetAtUnixNano()).UTC(), IP: o.GetIp(),
		ZoneMinutes: int(o.GetZoneMinutes()), Success: o.GetSuccess(),
	}
}

func toProtoVerdict(v Verdict) *inferencepb.Verdict {
	out := &inferencepb.Verdict{Llr: v.LLR, Confidence: v.Confidence, Abstained: v.Abstained, TtlNanos: int64(v.TTL)}
	for _, r := range v.Reasons {
		out.Reasons = append(out.Reasons, &inferencepb.Reason{Code: r.Code, Args: r.Args})
	}
	return out
}

func fromProtoVerdict(v *inferencepb.Verdict) Verdict {
	out := Verdict{LLR: v.GetLlr(), Confidence: v.GetConfidence(), Abstained: v.GetAbstained(), TTL: time.Duration(v.GetTtlNanos())}
	for _, r := range v.GetReasons() {
		out.Reasons = append(out.Reasons, Reason{Code: r.GetCode(), Args: r.GetArgs()})
	}
	return out
}

func toProtoDescription(d Description) *inferencepb.Description {
	out := &inferencepb.Description{Name: d.Name, Version: d.Version, Cluster: inferencepb.Cluster(d.Cluster)}
	for _, f := range d.Features {
		out.Features = append(out.Features, inferencepb.Feature(f))
	}
	return out
}

func fromProtoDescription(d *inferencepb.Description) Description {
	out := Description{Name: d.GetName(), Version: d.GetVersion(), Cluster: Cluster(d.GetCluster())}
	for _, f := range d.GetFeatures() {
		out.Features = append(out.Features, Feature(f))
	}
	return out
}

func clampInt32(n int) int32 {
	return int32(max(math.MinInt32, min(n, math.MaxInt32)))
}
