package helper

import "sync"

// hub tells every stream of a change. A stream that is slow misses repetitions,
// never the fact.
type hub struct {
	mu      sync.Mutex
	isUp    bool
	streams map[chan struct{}]struct{}
	// settled is closed when it is first known whether a watch stands.
	settled chan struct{}
	once    sync.Once
}

func (h *hub) settle() {
	if h.settled != nil {
		h.once.Do(func() { close(h.settled) })
	}
}

func (h *hub) join() (events <-chan struct{}, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams == nil {
		h.streams = make(map[chan struct{}]struct{})
	}
	c := make(chan struct{}, 1)
	h.streams[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.streams, c)
	}
}

func (h *hub) standing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isUp
}

func (h *hub) up() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isUp = true
	h.settle()
}

func (h *hub) down() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isUp = false
	h.settle()
	for c := range h.streams {
		close(c)
		delete(h.streams, c)
	}
}

func (h *hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.streams {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
