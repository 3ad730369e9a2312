package ceremony

import (
	"errors"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Visitor returns whom the PDP's own session of a request speaks for, and how
// they signed in; known is false where nobody is signed in. Looking is no use
// of the session: a page that stays open does not keep it alive.
func (c *Ceremony) Visitor(r *http.Request) (person wire.Person, signIn wire.SignIn, known bool, err error) {
	s, err := c.findSession(r.Context(), sessionCookie(r), c.clock())
	switch {
	case errors.Is(err, errNoSession):
		return wire.Person{}, wire.SignIn{}, false, nil
	case err != nil:
		return wire.Person{}, wire.SignIn{}, false, err
	}
	return s.person, s.value.SignIn, true, nil
}

// Personal answers a POST of the PDP's own pages by somebody who is signed in
// there. Everybody else's is refused before next sees it.
func (c *Ceremony) Personal(next func(http.ResponseWriter, *http.Request, wire.Person, wire.SignIn)) http.Handler {
	return c.guard(func(w http.ResponseWriter, r *http.Request) {
		person, signIn, known, err := c.Visitor(r)
		switch {
		case err != nil:
			c.answerRefusal(w, r, "visitor", err)
		case !known:
			problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.PersonalSignIn))
		default:
			next(w, r, person, signIn)
		}
	})
}
