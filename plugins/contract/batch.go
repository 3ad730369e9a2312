package contract

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// batches splits observations, in their order, into requests of at most
// MaxBatch of them and MaxMessageBytes. One observation within its bounds
// always fits; one that is out of them goes alone, to be refused.
func batches(observations []Observation) iter.Seq[*inferencev2.ObserveRequest] {
	return func(yield func(*inferencev2.ObserveRequest) bool) {
		request, size := &inferencev2.ObserveRequest{}, 0
		for i := range observations {
			one := toProtoObservation(&observations[i])
			bytes := protowire.SizeTag(1) + protowire.SizeBytes(proto.Size(one))
			full := len(request.Observations) == MaxBatch || size+bytes > MaxMessageBytes
			if full && len(request.Observations) > 0 {
				if !yield(request) {
					return
				}
				request, size = &inferencev2.ObserveRequest{}, 0
			}
			request.Observations = append(request.Observations, one)
			size += bytes
		}
		if len(request.Observations) > 0 {
			yield(request)
		}
	}
}
