package contract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// server serves Version.
type server struct {
	inferencev2.UnimplementedInferenceServer
	impl  Plugin
	kinds []Kind
}

func newServer(impl Plugin) *server {
	kinds := impl.Describe().Kinds
	if len(kinds) == 0 {
		kinds = []Kind{KindSignIn}
	}
	kinds = slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return k == KindSituation }) // never taught
	return &server{impl: impl, kinds: kinds}
}

func (s *server) Describe(context.Context, *inferencev2.DescribeRequest) (*inferencev2.Description, error) {
	d := s.impl.Describe()
	d.Kinds = s.kinds
	return toProtoDescription(d), nil
}

func (s *server) Observe(stream grpc.ClientStreamingServer[inferencev2.ObserveRequest, inferencev2.ObserveReply]) error {
	total := uint32(0)
	for {
		request, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(&inferencev2.ObserveReply{Learned: total})
		case err != nil:
			return err
		}
		learned, err := s.teach(stream.Context(), request.GetObservations())
		if err != nil {
			return err
		}
		total += learned
	}
}

func (s *server) teach(ctx context.Context, all []*inferencev2.Observation) (uint32, error) {
	if len(all) > MaxBatch {
		return 0, status.Error(codes.InvalidArgument, "batch too large")
	}
	batch := make([]Observation, 0, len(all))
	for _, o := range all {
		if err := checkObservation(o); err != nil {
			return 0, err
		}
		if slices.Contains(s.kinds, Kind(o.GetKind())) {
			batch = append(batch, fromProtoObservation(o))
		}
	}
	if len(batch) == 0 {
		return 0, nil
	}
	learned, err := s.impl.Observe(ctx, batch)
	if err != nil {
		return 0, err
	}
	return uint32(max(0, min(learned, len(batch)))), nil // #nosec G115 -- within 0 and MaxBatch
}

func (s *server) Assess(ctx context.Context, r *inferencev2.AssessRequest) (*inferencev2.Verdict, error) {
	if err := checkObservation(r.GetObservation()); err != nil {
		return nil, err
	}
	v, err := s.impl.Assess(ctx, fromProtoObservation(r.GetObservation()))
	if err != nil {
		return nil, err
	}
	return toProtoVerdict(v), nil
}

func (s *server) Rehearse(stream grpc.BidiStreamingServer[inferencev2.AssessRequest, inferencev2.Verdict]) error {
	for {
		request, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		v, err := s.Assess(stream.Context(), request)
		if err != nil {
			return err
		}
		if _, err := s.teach(stream.Context(), []*inferencev2.Observation{request.GetObservation()}); err != nil {
			return err
		}
		if err := stream.Send(v); err != nil {
			return err
		}
	}
}

func (s *server) Learn(ctx context.Context, f *inferencev2.Feedback) (*inferencev2.LearnReply, error) {
	if err := checkObservation(f.GetObservation()); err != nil {
		return nil, err
	}
	learner, ok := s.impl.(Learner)
	if !ok {
		return &inferencev2.LearnReply{}, nil
	}
	err := learner.Learn(ctx, Feedback{Observation: fromProtoObservation(f.GetObservation()), Genuine: f.GetGenuine()})
	return &inferencev2.LearnReply{Learned: err == nil}, err
}

func (s *server) Forget(_ context.Context, r *inferencev2.ForgetRequest) (*inferencev2.ForgetReply, error) {
	if keeper, ok := s.impl.(Keeper); ok {
		keeper.Forget(r.GetPerson())
	}
	return &inferencev2.ForgetReply{}, nil
}

func (s *server) Export(_ *inferencev2.ExportRequest, stream grpc.ServerStreamingServer[inferencev2.State]) error {
	keeper, ok := s.impl.(Keeper)
	if !ok {
		return nil
	}
	return keeper.Export(pieces{send: stream.Send})
}

func (s *server) Import(stream grpc.ClientStreamingServer[inferencev2.State, inferencev2.ImportReply]) error {
	state, err := whole(stream.Recv)
	if err != nil {
		return err
	}
	keeper, ok := s.impl.(Keeper)
	switch {
	case ok:
		err = keeper.Import(bytes.NewReader(state))
	case len(state) > 0:
		err = errors.New("contract: a state for a plugin that keeps nothing")
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return stream.SendAndClose(&inferencev2.ImportReply{})
}

func (s *server) Health(context.Context, *inferencev2.HealthRequest) (*inferencev2.HealthReply, error) {
	return &inferencev2.HealthReply{Ready: s.impl.Ready()}, nil
}

// checkObservation refuses what is out of bounds before the plugin sees it.
func checkObservation(o *inferencev2.Observation) error {
	texts := []string{o.GetPerson(), o.GetGroup(), o.GetDevice(), o.GetNetwork(), o.GetAddress(), o.GetPortal(), o.GetGrade()}
	for _, c := range o.GetPosture() {
		texts = append(texts, c.GetId(), c.GetState())
	}
	tooLong := func(bytes int) func(string) bool { return func(text string) bool { return len(text) > bytes } }
	switch {
	case slices.ContainsFunc(texts, tooLong(MaxTextBytes)) || slices.ContainsFunc(o.GetFiles(), tooLong(MaxFileBytes)):
		return status.Error(codes.InvalidArgument, "text too long")
	case o.GetPerson() == "":
		return status.Error(codes.InvalidArgument, "no person")
	case len(o.GetPosture()) > MaxClaims || len(o.GetFiles()) > MaxFiles:
		return status.Error(codes.InvalidArgument, "too much in one observation")
	}
	return nil
}
