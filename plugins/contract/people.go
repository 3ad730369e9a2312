package contract

import (
	"bufio"
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// People keeps a T for each person that a plugin has learned of: at most so
// many of them, none longer than the retention after it was taught last, whom
// it was taught of longest ago forgotten first. It is safe for concurrent use,
// and it is a plugin's Keeper: embed it, or call its methods.
//
// T must be written and read back by encoding/json without loss.
type People[T any] struct {
	limit     int
	retention time.Duration
	dropped   func(*T)
	check     func(*T) error
	taken     func(*T)

	mu     sync.Mutex
	people map[string]*list.Element // of *kept[T]
	order  *list.List               // taught last first
}

// kept is one person's state.
type kept[T any] struct {
	Person string    `json:"person"`
	Taught time.Time `json:"taught"`
	State  T         `json:"state"`
}

// NewPeople returns an empty People. dropped, if there is one, is called with
// each state that is forgotten or replaced, under the lock: a plugin that also
// counts over everybody takes it off its counts there.
func NewPeople[T any](limit int, retention time.Duration, dropped func(*T)) *People[T] {
	if dropped == nil {
		dropped = func(*T) {}
	}
	return &People[T]{
		limit: limit, retention: retention, dropped: dropped, check: func(*T) error { return nil }, taken: func(*T) {},
		people: map[string]*list.Element{}, order: list.New(),
	}
}

// Counted has taken called, under the lock, with each state that Import takes
// in: dropped's counterpart for a plugin that counts over everybody. Call it
// before the People is used.
func (p *People[T]) Counted(taken func(*T)) *People[T] {
	p.taken = taken
	return p
}

// Checked has Import ask check of each state before it takes any: an error
// refuses them all. Call it before the People is used.
func (p *People[T]) Checked(check func(*T) error) *People[T] {
	p.check = check
	return p
}

// Teach calls learn with the person's state, a zero one if there is none, and
// keeps what learn left there. at is when it happened. All that learn does is
// under the lock.
func (p *People[T]) Teach(person string, at time.Time, learn func(*T)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	element, known := p.people[person]
	if !known {
		for len(p.people) >= p.limit {
			p.drop(p.order.Back())
		}
		element = p.order.PushFront(&kept[T]{Person: person})
		p.people[person] = element
	}
	one := element.Value.(*kept[T])
	if at.After(one.Taught) {
		one.Taught = at
	}
	p.order.MoveToFront(element)
	learn(&one.State)
	p.expire(at)
}

// Look calls see with the person's state as it may be used at that time, and
// reports whether there is one. What see changes is kept; a judgement changes
// nothing.
func (p *People[T]) Look(person string, at time.Time, see func(*T)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	element, known := p.people[person]
	if !known {
		return false
	}
	one := element.Value.(*kept[T])
	if at.Sub(one.Taught) >= p.retention {
		return false
	}
	see(&one.State)
	return true
}

// Len is how many people are kept.
func (p *People[T]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.people)
}

// Forget drops a person's state (Keeper).
func (p *People[T]) Forget(person string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if element, known := p.people[person]; known {
		p.drop(element)
	}
}

// expire drops from the far end who was taught longest ago. One who was taught
// late of something old may stand behind a younger one; Look looks again.
func (p *People[T]) expire(now time.Time) {
	for last := p.order.Back(); last != nil && now.Sub(last.Value.(*kept[T]).Taught) >= p.retention; last = p.order.Back() {
		p.drop(last)
	}
}

func (p *People[T]) drop(element *list.Element) {
	one := p.order.Remove(element).(*kept[T])
	delete(p.people, one.Person)
	p.dropped(&one.State)
}

// Export writes all states as JSON, a line each, taught longest ago first
// (Keeper). It waits for a slow reader without the lock: who is taught
// meanwhile may stand there with the newer state, who is forgotten is left out.
func (p *People[T]) Export(w io.Writer) error {
	lines := bufio.NewWriter(w)
	for _, person := range p.names() {
		line, err := p.line(person)
		if err != nil {
			return fmt.Errorf("contract: export: %w", err)
		}
		if _, err := lines.Write(line); err != nil {
			return fmt.Errorf("contract: export: %w", err)
		}
	}
	return lines.Flush()
}

// names are the people kept, taught longest ago first.
func (p *People[T]) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]string, 0, len(p.people))
	for element := p.order.Back(); element != nil; element = element.Prev() {
		all = append(all, element.Value.(*kept[T]).Person)
	}
	return all
}

// line is one person's state as Export writes it, empty if it is kept no more.
func (p *People[T]) line(person string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	element, known := p.people[person]
	if !known {
		return nil, nil
	}
	line, err := json.Marshal(element.Value)
	return append(line, '\n'), err
}

// Import takes states that Export wrote in place of its own (Keeper).
func (p *People[T]) Import(r io.Reader) error {
	taken, err := p.read(r)
	if err != nil {
		return fmt.Errorf("contract: import: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.order.Len() > 0 {
		p.drop(p.order.Back())
	}
	for _, one := range taken {
		for len(p.people) >= p.limit {
			p.drop(p.order.Back())
		}
		p.people[one.Person] = p.order.PushFront(one)
		p.taken(&one.State)
	}
	return nil
}

func (p *People[T]) read(r io.Reader) ([]*kept[T], error) {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	var all []*kept[T]
	seen := map[string]bool{}
	for {
		one := new(kept[T])
		err := decoder.Decode(one)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case one.Person == "" || one.Taught.IsZero() || seen[one.Person]:
			return nil, errors.New("a person without a name or a time, or one that stands twice")
		}
		if err := p.check(&one.State); err != nil {
			return nil, err
		}
		seen[one.Person] = true
		all = append(all, one)
	}
}
