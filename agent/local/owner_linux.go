package local

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// errNoSocket: the connection is not in the kernel's tables.
var errNoSocket = errors.New("local: the connecting socket was not found")

// maxTable bounds what is read of a table: about 50,000 connections.
const maxTable = 8 << 20

// ProcOwners finds a socket's owner in /proc/net/tcp and tcp6 (proc(5)) of this
// process's own network namespace.
type ProcOwners struct {
	// Files is the file system from its root.
	Files fs.FS
}

// Owner returns the user who made the client's end of an established
// connection. A socket in another state (TIME_WAIT shows as root's) does not
// count.
func (p ProcOwners) Owner(client, listener netip.AddrPort) (uint32, error) {
	client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
	listener = netip.AddrPortFrom(listener.Addr().Unmap(), listener.Port())
	for _, table := range []string{"proc/self/net/tcp", "proc/self/net/tcp6"} {
		uid, err := p.find(table, client, listener)
		if errors.Is(err, errNoSocket) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return uid, err
	}
	return 0, fmt.Errorf("%w: %s", errNoSocket, client)
}

func (p ProcOwners) find(table string, client, listener netip.AddrPort) (uint32, error) {
	file, err := p.Files.Open(table)
	if err != nil {
		return 0, fmt.Errorf("local: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(io.LimitReader(file, maxTable))
	for lines.Scan() {
		row, ok := parseRow(lines.Text())
		if ok && row.local == client && row.remote == listener && row.state == established {
			return row.uid, nil
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("local: %s: %w", table, err)
	}
	return 0, errNoSocket
}

// established is TCP_ESTABLISHED (linux/tcp_states.h).
const established = "01"

// row is one line of a table.
type row struct {
	local, remote netip.AddrPort
	state         string
	uid           uint32
}

// parseRow reads "sl local_address rem_address st tx:rx tr:when retrnsmt uid …".
func parseRow(line string) (row, bool) {
	f := strings.Fields(line)
	if len(f) < 8 {
		return row{}, false
	}
	local, ok := parseEnd(f[1])
	if !ok {
		return row{}, false
	}
	remote, ok := parseEnd(f[2])
	if !ok {
		return row{}, false
	}
	uid, err := strconv.ParseUint(f[7], 10, 32)
	return row{local: local, remote: remote, state: f[3], uid: uint32(uid)}, err == nil
}

// parseEnd reads an address and port: groups of four bytes, each in the order
// of this machine, and the port as a number, all hexadecimal.
func parseEnd(text string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(address)
	if err != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), true
}
