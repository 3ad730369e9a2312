package contract

import (
	"math"
	"time"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

func toProtoObservation(o *Observation) *inferencev2.Observation {
	out := &inferencev2.Observation{
		Kind: inferencev2.Kind(o.Kind), Person: o.Person, Group: o.Group, Device: o.Device, AtUnixNano: o.At.UnixNano(),
		Network: o.Network, Address: o.Address, ZoneMinutes: clampInt32(o.ZoneMinutes), ZoneKnown: o.ZoneKnown, Portal: o.Portal, Grade: o.Grade,
		Requests: o.Requests, OverNanos: int64(o.Over), Files: o.Files,
	}
	for _, c := range o.Posture {
		out.Posture = append(out.Posture, &inferencev2.Claim{Id: c.ID, State: c.State})
	}
	return out
}

func fromProtoObservation(o *inferencev2.Observation) Observation {
	out := Observation{
		Kind: Kind(o.GetKind()), Person: o.GetPerson(), Group: o.GetGroup(), Device: o.GetDevice(),
		At: time.Unix(0, o.GetAtUnixNano()).UTC(), Network: o.GetNetwork(), Address: o.GetAddress(),
		ZoneMinutes: int(o.GetZoneMinutes()), ZoneKnown: o.GetZoneKnown(), Portal: o.GetPortal(), Grade: o.GetGrade(),
		Requests: o.GetRequests(), Over: nanos(o.GetOverNanos()), Files: o.GetFiles(),
	}
	for _, c := range o.GetPosture() {
		out.Posture = append(out.Posture, Claim{ID: c.GetId(), State: c.GetState()})
	}
	return out
}

func toProtoVerdict(v Verdict) *inferencev2.Verdict {
	out := &inferencev2.Verdict{Llr: v.LLR, Confidence: v.Confidence, Abstained: v.Abstained, TtlNanos: int64(v.TTL)}
	for _, r := range v.Reasons {
		out.Reasons = append(out.Reasons, &inferencev2.Reason{Code: r.Code, Args: r.Args})
	}
	return out
}

func fromProtoVerdict(v *inferencev2.Verdict) Verdict {
	out := Verdict{LLR: v.GetLlr(), Confidence: v.GetConfidence(), Abstained: v.GetAbstained(), TTL: nanos(v.GetTtlNanos())}
	for _, r := range v.GetReasons() {
		out.Reasons = append(out.Reasons, Reason{Code: r.GetCode(), Args: r.GetArgs()})
	}
	return out
}

func toProtoDescription(d Description) *inferencev2.Description {
	out := &inferencev2.Description{
		Name: d.Name, Version: d.Version, Cluster: inferencev2.Cluster(d.Cluster), Keeps: d.Keeps,
		RetentionNanos: int64(d.Retention), Network: d.Network,
	}
	for _, f := range d.Features {
		out.Features = append(out.Features, inferencev2.Feature(f))
	}
	for _, k := range d.Kinds {
		out.Kinds = append(out.Kinds, inferencev2.Kind(k))
	}
	for _, t := range d.Texts {
		out.Texts = append(out.Texts, &inferencev2.ReasonText{Code: t.Code, English: t.English, Chinese: t.Chinese})
	}
	return out
}

func fromProtoDescription(d *inferencev2.Description) Description {
	out := Description{
		Name: d.GetName(), Version: d.GetVersion(), Cluster: Cluster(d.GetCluster()), Keeps: d.GetKeeps(),
		Retention: nanos(d.GetRetentionNanos()), Network: d.GetNetwork(),
	}
	for _, f := range d.GetFeatures() {
		out.Features = append(out.Features, Feature(f))
	}
	for _, k := range d.GetKinds() {
		out.Kinds = append(out.Kinds, Kind(k))
	}
	for _, t := range d.GetTexts() {
		out.Texts = append(out.Texts, ReasonText{Code: t.GetCode(), English: t.GetEnglish(), Chinese: t.GetChinese()})
	}
	return out
}

func nanos(n int64) time.Duration { return time.Duration(n) }

func clampInt32(n int) int32 {
	return int32(max(math.MinInt32, min(n, math.MaxInt32)))
}
