package pdp

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/pace"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of what people do on their own page. Each reads the log, which costs
// far more than any other page: so many at a time, so many that wait for so
// long, and of one sign-in so many at once and one more every visitEvery. They
// are well below maxPages, so that sign-ins find a turn beside them.
const (
	visitsAtOnce  = 2
	visitsWaiting = 4
	visitPatience = time.Second
	visitBurst    = 10
	visitEvery    = 10 * time.Second
)

// visits bounds what is read for people who are signed in. It counts by the
// sign-in, not by the person: whoever holds somebody else's sign-in must not
// keep the person from saying so.
type visits struct {
	turns *admission.Gate
	pace  *pace.Pace
}

func newVisits() *visits {
	return &visits{admission.NewGate(visitsAtOnce, visitsWaiting, visitPatience), pace.New(visitBurst, visitEvery)}
}

// tooBusy asks a person to come again.
type tooBusy struct{}

func (tooBusy) Error() string       { return "pdp: too many read their own page" }
func (tooBusy) Status() int         { return http.StatusServiceUnavailable }
func (tooBusy) Reason() wire.Reason { return reason.New(reason.PersonalBusy) }

// enter waits for a turn; leave must be called after the work.
func (v *visits) enter(ctx context.Context, person wire.Person, signIn wire.SignIn) (leave func(), err error) {
	if !v.pace.Permit(person.ID+" "+signIn.At.UTC().Format(time.RFC3339Nano), time.Now()) {
		return nil, tooBusy{}
	}
	leave, ok := v.turns.Enter(ctx)
	if !ok {
		return nil, tooBusy{}
	}
	return leave, nil
}
