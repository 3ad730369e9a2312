package local

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// LogindSeats knows the active seats as systemd-logind writes them, and the
// owners of sockets as the kernel lists them in this network namespace.
type LogindSeats struct {
	// Proc is /proc, Seats is /run/systemd/seats.
	Proc, Seats fs.FS
}

// Check reports ErrOtherUser unless the user who owns the socket at peer holds
// an active seat, ErrSeatUnknown where either cannot be told.
func (s LogindSeats) Check(peer, own netip.AddrPort) error {
	uid, err := s.owner(peer, own)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSeatUnknown, err)
	}
	active, err := s.active()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSeatUnknown, err)
	}
	if !slices.Contains(active, uid) {
		return ErrOtherUser
	}
	return nil
}

// owner finds the socket whose local end is peer and whose far end is own, in
// the kernel's table: proc_pid_net(5), tcp and tcp6.
func (s LogindSeats) owner(peer, own netip.AddrPort) (uint32, error) {
	for _, table := range [...]string{"self/net/tcp", "self/net/tcp6"} {
		f, err := s.Proc.Open(table)
		if err != nil {
			continue
		}
		uid, found := findSocket(f, peer, own)
		_ = f.Close()
		if found {
			return uid, nil
		}
	}
	return 0, fmt.Errorf("no socket from %v", peer)
}

func findSocket(table fs.File, peer, own netip.AddrPort) (uint32, bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 {
			continue
		}
		local, err1 := kernelAddr(fields[1])
		remote, err2 := kernelAddr(fields[2])
		if err1 != nil || err2 != nil || local != peer || remote != own {
			continue
		}
		uid, err := strconv.ParseUint(fields[7], 10, 32)
		return uint32(uid), err == nil
	}
	return 0, false
}

// kernelAddr reads an address as the kernel prints it: 32-bit words in the
// machine's order (little-endian on every machine this is built for), a colon,
// and the port, all hexadecimal.
func kernelAddr(text string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("address %q", text)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}

// active lists the users who hold a seat's foreground session, as
// sd_seat_get_active(3) reads it.
func (s LogindSeats) active() ([]uint32, error) {
	names, err := fs.Glob(s.Seats, "*")
	if err != nil {
		return nil, err
	}
	var users []uint32
	for _, name := range names {
		raw, err := fs.ReadFile(s.Seats, name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			text, found := strings.CutPrefix(strings.TrimSpace(line), "ACTIVE_UID=")
			if !found {
				continue
			}
			uid, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("seat %s: %w", name, err)
			}
			users = append(users, uint32(uid))
		}
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("no seat is active")
	}
	return users, nil
}
