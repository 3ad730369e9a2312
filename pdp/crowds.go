package pdp

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/menshen-zt/menshen/internal/admission"
)

// maxStreams bounds what one HTTP/2 connection has under way, streams that were
// reset and are still worked on among them (CVE-2023-44487).
const maxStreams = 100

// Bounds of the pages that are made at one time.
const (
	maxPages      = 16
	pagesWaiting  = 256
	pagesPatience = time.Second
)

// shares is how the files that this process may open are shared out among the
// ports' connections; a fifth is left for the store, the log and plugins.
type shares struct{ files int }

func connectionLimits() (shares, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return shares{}, fmt.Errorf("pdp: reading the limit of open files: %w", err)
	}
	return shares{int(min(limit.Cur, 1<<20))}, nil // #nosec G115 -- bounded
}

// of returns how many connections a port holds at most. Every laptop has one
// open all the time; proxies keep a few, and people come and go.
func (s shares) of(port string) int {
	switch port {
	case "agents":
		return min(s.files/2, 200_000)
	case "web":
		return min(s.files/8, 16_384)
	case "proxies", "proxies.grpc":
		return min(s.files/16, 8_192)
	default:
		return 64
	}
}

// crowded bounds a port's connections. Anybody reaches the web's and the
// agents' ports, so there the idle give way, and what nobody is known for yet
// gets no more than its lane of the processor; a proxy that opens too many waits.
func (p *PDP) crowded(l net.Listener, s service, port string, most int) (net.Listener, error) {
	spoken, ok := s.(httpService)
	if !ok || (port != "web" && port != "agents") {
		return netutil.LimitListener(l, most), nil
	}
	crowd := admission.NewCrowd(l, most)
	lane, err := admission.NewLane(crowd)
	if err != nil {
		return nil, err
	}
	crowd.Attend(spoken.Server)
	lane.Attend(spoken.Server)
	p.lanes[port] = lane
	return lane, nil
}

// laneShed tells how many requests a port's lane turned away, once it listens.
func (p *PDP) laneShed(port string) func() uint64 {
	return func() uint64 {
		if lane := p.lanes[port]; lane != nil {
			return lane.Shed()
		}
		return 0
	}
}
