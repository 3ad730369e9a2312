package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// errNoSeats: nothing on this machine says who sits at it.
var errNoSeats = errors.New("local: no seat is known; is systemd-logind running?")

// LogindSeats asks logind's records which users hold an active seat, as
// sd_seat_get_active(3) does.
type LogindSeats struct {
	// Files is the file system from its root.
	Files fs.FS
}

const seatsDirectory = "run/systemd/seats"

// Check returns SeatActive for a user in front of one of the machine's seats.
func (s LogindSeats) Check(uid uint32) (wire.SeatState, error) {
	seats, err := fs.ReadDir(s.Files, seatsDirectory)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoSeats, err)
	}
	known := false
	for _, seat := range seats {
		active, ok := s.active(seat.Name())
		known = known || ok
		if ok && active == uid {
			return wire.SeatActive, nil
		}
	}
	if !known {
		return "", fmt.Errorf("%w: nobody is at a seat", ErrOtherUser)
	}
	return "", ErrOtherUser
}

// active reads one seat's ACTIVE_UID; a seat where nobody is has none.
func (s LogindSeats) active(seat string) (uid uint32, ok bool) {
	file, err := s.Files.Open(seatsDirectory + "/" + seat)
	if err != nil {
		return 0, false
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if value, found := strings.CutPrefix(line, "ACTIVE_UID="); found {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, false
}

// NoSeats is `seat: none`: whoever is at a keyboard is not known. Only the
// listed users are let through, or all if none is listed, and the PDP is told.
type NoSeats struct {
	Users []uint32
}

// Check returns SeatNone for a user who is let through.
func (s NoSeats) Check(uid uint32) (wire.SeatState, error) {
	if len(s.Users) > 0 && !slices.Contains(s.Users, uid) {
		return "", ErrOtherUser
	}
	return wire.SeatNone, nil
}
