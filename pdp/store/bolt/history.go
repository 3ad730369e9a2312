package bolt

import (
	"sort"
	"sync"

	"github.com/menshen-zt/menshen/pdp/store"
)

// eventOverhead stands for what an event costs besides key and value.
const eventOverhead = 96

// history holds the last changes in order, bounded by bytes.
type history struct {
	limit int

	mu      sync.Mutex
	batches []store.Batch
	bytes   int
	oldest  int64 // every change after this revision is held
	head    int64
	changed chan struct{} // closed at the next change
}

func newHistory(head int64, limit int) *history {
	return &history{limit: limit, oldest: head, head: head, changed: make(chan struct{})}
}

func (h *history) span() (oldest, head int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.oldest, h.head
}

// add appends changes and forgets the oldest ones beyond the limit.
func (h *history) add(changes []store.Batch) {
	if len(changes) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range changes {
		h.bytes += cost(b)
	}
	h.batches = append(h.batches, changes...)
	h.head = changes[len(changes)-1].Revision
	drop := 0
	for ; h.bytes > h.limit && drop < len(h.batches); drop++ {
		h.bytes -= cost(h.batches[drop])
		h.oldest = h.batches[drop].Revision
	}
	clear(h.batches[:drop]) // the array may live on for a while
	h.batches = h.batches[drop:]
	close(h.changed)
	h.changed = make(chan struct{})
}

func cost(b store.Batch) int {
	sum := eventOverhead
	for _, e := range b.Events {
		sum += eventOverhead + len(e.Key) + len(e.Value)
	}
	return sum
}

// part is what a watcher reads at once.
type part struct {
	batches []store.Batch
	more    bool            // there is more already
	changed <-chan struct{} // closed when there is more than this
}

// after returns up to limit batches after revision, or false when some of them
// are no longer held.
func (h *history) after(revision int64, limit int) (part, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if revision < h.oldest {
		return part{}, false
	}
	first := sort.Search(len(h.batches), func(i int) bool { return h.batches[i].Revision > revision })
	last := min(len(h.batches), first+limit)
	return part{
		batches: append([]store.Batch(nil), h.batches[first:last]...),
		more:    last < len(h.batches),
		changed: h.changed,
	}, true
}
