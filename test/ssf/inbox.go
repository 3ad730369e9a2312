package ssf

import (
	"io"
	"net/http"
	"strings"
	"sync"
)

// Inbox is the receiving end of pushed delivery (RFC 8935, 2). It verifies what
// comes, keeps it in order, and answers 202, unless a test has it answer
// otherwise.
type Inbox struct {
	// Take verifies one SET, Authorization is what must be presented.
	Take          func(compact string) (Event, error)
	Authorization string

	mu      sync.Mutex
	answers []Answer
	got     chan Got
}

// Got is one request that came.
type Got struct {
	Event Event
	Err   error // why it was refused
	// Answered is the status it got.
	Answered int
}

// Answer is what an Inbox says instead of 202. Status 0 closes the connection;
// Hold makes it wait until it is closed.
type Answer struct {
	Status int
	Body   string
	Header http.Header
	Hold   <-chan struct{}
}

// NewInbox returns an empty one.
func NewInbox(take func(string) (Event, error)) *Inbox {
	return &Inbox{Take: take, got: make(chan Got, 1024)}
}

// Got is where everything that came is told, in order.
func (i *Inbox) Got() <-chan Got { return i.got }

// Next has the next requests answered so, one each.
func (i *Inbox) Next(answers ...Answer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers = append(i.answers, answers...)
}

// Recover forgets what Next said.
func (i *Inbox) Recover() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers = nil
}

func (i *Inbox) next() (a Answer, scripted bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.answers) == 0 {
		return Answer{Status: http.StatusAccepted}, false
	}
	a, i.answers = i.answers[0], i.answers[1:]
	return a, true
}

// ServeHTTP takes one SET.
func (i *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	answer, scripted := i.next()
	got := Got{Err: err, Answered: answer.Status}
	if err == nil {
		got.Event, got.Err = i.Take(string(raw))
	}
	switch {
	case r.Method != http.MethodPost, !strings.HasPrefix(r.Header.Get("Content-Type"), "application/secevent+jwt"),
		!strings.Contains(r.Header.Get("Accept"), "application/json"): // RFC 8935, 2.1
		got.Answered, answer.Body = http.StatusBadRequest, `{"err":"invalid_request"}`
	case i.Authorization != "" && r.Header.Get("Authorization") != i.Authorization:
		got.Answered, answer.Body = http.StatusBadRequest, `{"err":"authentication_failed"}`
	case got.Err != nil && !scripted:
		got.Answered, answer.Body = http.StatusBadRequest, `{"err":"invalid_request"}`
	}
	i.got <- got
	if answer.Hold != nil {
		select {
		case <-answer.Hold:
		case <-r.Context().Done():
		}
	}
	if got.Answered == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	if answer.Body != "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(got.Answered)
	_, _ = io.WriteString(w, answer.Body)
}
