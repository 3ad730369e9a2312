package policy

import (
	"sync"

	"github.com/cedar-policy/cedar-go/types"
)

// maxMemo bounds what each memo keeps. A fleet shows few different values of a
// section; where there are more, the memo starts again.
const maxMemo = 1024

// memo keeps records that were built once, by everything that they hold. What
// it returns depends on the key alone. Its zero value is ready.
type memo[K comparable] struct {
	mu    sync.RWMutex
	built map[K]*types.Value
}

// get returns the record of a key. The pointer is the same for the same record
// while the memo keeps it.
func (m *memo[K]) get(key K, build func(K) types.Record) *types.Value {
	m.mu.RLock()
	v, known := m.built[key]
	m.mu.RUnlock()
	if known {
		return v
	}
	var record types.Value = build(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.built == nil || len(m.built) >= maxMemo {
		m.built = make(map[K]*types.Value)
	}
	m.built[key] = &record
	return &record
}
