package appraisal

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// queue orders devices by when their standing changes by time: one timer
// serves them all.
type queue []*device

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	d, _ := x.(*device)
	d.place = len(*q)
	*q = append(*q, d)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	d.place = -1
	return d
}

// plan puts the device's next change into the queue; a zero time takes it out.
// The lock is held.
func (a *Appraiser) plan(d *device, due time.Time) {
	d.due = due
	switch {
	case due.IsZero() && d.place >= 0:
		heap.Remove(&a.queue, d.place)
	case due.IsZero():
		return
	case d.place >= 0:
		heap.Fix(&a.queue, d.place)
	default:
		heap.Push(&a.queue, d)
	}
	if d.place == 0 {
		select {
		case a.kick <- struct{}{}:
		default:
		}
	}
}

// longestNap bounds how late a change is told after the clock was set.
const longestNap = time.Second

// Run tells subscribers of changes by time, judges anew what Reconsider asks
// for, and gives up on repairs whose time is over, until ctx ends.
func (a *Appraiser) Run(ctx context.Context) {
	var reviews sync.WaitGroup
	defer reviews.Wait()
	reviews.Go(func() { a.reconsidering(ctx) })
	timer := time.NewTimer(longestNap)
	defer timer.Stop()
	for {
		a.endRepairs(ctx)
		changed, next := a.passed()
		for _, id := range changed {
			a.tell(id)
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-a.kick:
		case <-timer.C:
		}
	}
}

// passed settles every device whose time has come, and says how long to wait
// for the next.
func (a *Appraiser) passed() (changed []string, next time.Duration) {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 {
		d := a.queue[0]
		if now.Before(d.due) {
			return changed, min(d.due.Sub(now), longestNap)
		}
		if a.settle(d, now) {
			changed = append(changed, d.id)
		}
	}
	return changed, longestNap
}
