package contract

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// Errors of a Client.
var (
	// ErrOldContract is returned where a plugin speaks version 1, which has no such call.
	ErrOldContract = errors.New("contract: version 1 has no such call")
	// ErrStateTooLarge is returned where a plugin's state is above MaxStateBytes.
	ErrStateTooLarge = fmt.Errorf("contract: a state of more than %d bytes", MaxStateBytes)
)

// Client is the host's side of the contract. Nothing it returns is checked:
// that is the host's work. Every call needs a context with a deadline.
type Client interface {
	// Contract is the version that the plugin speaks.
	Contract() int
	Describe(ctx context.Context) (Description, error)
	// Observe teaches any number of observations, in batches that a message holds.
	Observe(ctx context.Context, observations []Observation) (learned int, err error)
	Assess(ctx context.Context, o Observation) (Verdict, error)
	// Rehearse judges and then learns what next returns until it says false,
	// and gives each verdict to heard, in order.
	Rehearse(ctx context.Context, next func() (Observation, bool), heard func(Verdict) error) error
	Learn(ctx context.Context, f Feedback) error
	Forget(ctx context.Context, person string) error
	// Export writes the plugin's state to w, Import reads one from r. An Import
	// whose context ends while the plugin answers may have been taken: end that
	// process.
	Export(ctx context.Context, w io.Writer) error
	Import(ctx context.Context, r io.Reader) error
	Ready(ctx context.Context) (bool, error)
}

// client speaks Version.
type client struct{ rpc inferencev2.InferenceClient }

func (*client) Contract() int { return Version }

func (c *client) Describe(ctx context.Context) (Description, error) {
	d, err := c.rpc.Describe(ctx, &inferencev2.DescribeRequest{})
	if err != nil {
		return Description{}, err
	}
	return fromProtoDescription(d), nil
}

func (c *client) Observe(ctx context.Context, observations []Observation) (learned int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a stream that is left ends
	stream, err := c.rpc.Observe(ctx)
	if err != nil {
		return 0, err
	}
	for request := range batches(observations) {
		if stream.Send(request) != nil {
			break // CloseAndRecv says why
		}
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return 0, err
	}
	return int(reply.GetLearned()), nil
}

func (c *client) Assess(ctx context.Context, o Observation) (Verdict, error) {
	v, err := c.rpc.Assess(ctx, &inferencev2.AssessRequest{Observation: toProtoObservation(&o)})
	if err != nil {
		return Verdict{}, err
	}
	return fromProtoVerdict(v), nil
}

func (c *client) Rehearse(ctx context.Context, next func() (Observation, bool), heard func(Verdict) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the sender too
	stream, err := c.rpc.Rehearse(ctx)
	if err != nil {
		return err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for o, more := next(); more && ctx.Err() == nil; o, more = next() {
			if stream.Send(&inferencev2.AssessRequest{Observation: toProtoObservation(&o)}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend() // Recv says why
	}()
	err = receive(stream.Recv, heard)
	cancel()
	<-sent
	return err
}

func receive(recv func() (*inferencev2.Verdict, error), heard func(Verdict) error) error {
	for {
		v, err := recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := heard(fromProtoVerdict(v)); err != nil {
			return err
		}
	}
}

func (c *client) Learn(ctx context.Context, f Feedback) error {
	_, err := c.rpc.Learn(ctx, &inferencev2.Feedback{Observation: toProtoObservation(&f.Observation), Genuine: f.Genuine})
	return err
}

func (c *client) Forget(ctx context.Context, person string) error {
	_, err := c.rpc.Forget(ctx, &inferencev2.ForgetRequest{Person: person})
	return err
}

func (c *client) Export(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a plugin that has more than is wanted
	// A host bounds answers far below a piece of state.
	stream, err := c.rpc.Export(ctx, &inferencev2.ExportRequest{}, grpc.MaxCallRecvMsgSize(MaxMessageBytes))
	if err != nil {
		return err
	}
	total := 0
	for {
		state, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if total += len(state.GetPiece()); total > MaxStateBytes {
			return ErrStateTooLarge
		}
		if _, err := w.Write(state.GetPiece()); err != nil {
			return err
		}
	}
}

func (c *client) Import(ctx context.Context, r io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what was sent in part is never taken
	stream, err := c.rpc.Import(ctx)
	if err != nil {
		return err
	}
	bounded := &io.LimitedReader{R: r, N: MaxStateBytes + 1}
	_, err = io.CopyBuffer(pieces{send: stream.Send}, bounded, make([]byte, pieceBytes))
	switch {
	case bounded.N == 0:
		return ErrStateTooLarge
	case err != nil && !errors.Is(err, io.EOF): // of io.EOF, CloseAndRecv says why
		return err
	case ctx.Err() != nil: // before the end is sent, which has it taken
		return status.FromContextError(ctx.Err()).Err()
	}
	_, err = stream.CloseAndRecv()
	return err
}

func (c *client) Ready(ctx context.Context) (bool, error) {
	h, err := c.rpc.Health(ctx, &inferencev2.HealthRequest{})
	if err != nil {
		return false, err
	}
	return h.GetReady(), nil
}
