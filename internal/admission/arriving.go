package admission

import (
	"io"
	"sync"
)

// underWay is a request that makes its connection a busy one, from when it has
// arrived whole.
type underWay struct {
	crowd *Crowd
	conn  *counted

	mu           sync.Mutex
	begun, ended bool
}

func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.begun && !u.ended {
		u.begun = true
		u.crowd.turn(u.conn, 1)
	}
}

func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.begun && !u.ended {
		u.crowd.turn(u.conn, -1)
	}
	u.ended = true
}

// arriving is the body of a request.
type arriving struct {
	io.ReadCloser
	of *underWay
}

// Read implements io.Reader.
func (a *arriving) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if err == io.EOF {
		a.of.begin()
	}
	return n, err
}
