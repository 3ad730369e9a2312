package contract

import (
	"errors"
	"io"

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

// onlyReader hides other ways to copy, so that the pieces keep their size.
type onlyReader struct{ io.Reader }

// received reads the pieces of a state, at most MaxStateBytes.
type received struct {
	recv  func() (*inferencev2.State, error)
	rest  []byte
	total int
}

// Read implements io.Reader.
func (r *received) Read(into []byte) (int, error) {
	for len(r.rest) == 0 {
		state, err := r.recv()
		if err != nil {
			return 0, err // io.EOF at the end
		}
		if r.total += len(state.GetPiece()); r.total > MaxStateBytes {
			return 0, ErrStateTooLarge
		}
		r.rest = state.GetPiece()
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// drain reads to the end, so that a sender is not left waiting.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
