package contract

import (
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// pieceBytes is the size of a piece of state.
const pieceBytes = 256 << 10

// pieces sends what is written to it as pieces of a state.
type pieces struct {
	send func(*inferencev2.State) error
}

// Write implements io.Writer.
func (p pieces) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		n := min(len(data), pieceBytes)
		if err := p.send(&inferencev2.State{Piece: append([]byte(nil), data[:n]...)}); err != nil {
			return written, err
		}
		written += n
		data = data[n:]
	}
	return written, nil
}

// whole receives a state to its end: a plugin takes a whole one or none.
func whole(recv func() (*inferencev2.State, error)) ([]byte, error) {
	var all []byte
	for {
		state, err := recv()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all)+len(state.GetPiece()) > MaxStateBytes:
			return nil, status.Error(codes.InvalidArgument, ErrStateTooLarge.Error())
		}
		all = append(all, state.GetPiece()...)
	}
}
