package keyring

import (
	"crypto/tls"
	"sync"
	"time"
)

// Server hands out a server certificate of the private CA and renews it a month
// before its end, so that a PDP that runs for a year needs no attention.
type Server struct {
	authority *Authority
	names     []string
	clock     func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
}

// NewServer returns a Server for names.
func NewServer(a *Authority, names []string, clock func() time.Time) *Server {
	return &Server{authority: a, names: names, clock: clock}
}

const renewBefore = leafLife / 3

// Certificate is a tls.Config's GetCertificate.
func (s *Server) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	if s.current != nil && now.Before(s.current.Leaf.NotAfter.Add(-renewBefore)) {
		return s.current, nil
	}
	fresh, err := s.authority.Issue(s.names, now)
	if err != nil {
		return nil, err
	}
	s.current = fresh
	return fresh, nil
}
