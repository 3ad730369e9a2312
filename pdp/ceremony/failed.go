package ceremony

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/wire"
)

// tellFailed passes a refused sign-in on, for the inference plugins. What this
// PDP could not do speaks against nobody, and a person who is not known has no
// history.
func (c *Ceremony) tellFailed(r *http.Request, person wire.Person, portal string, why error) {
	now := c.clock()
	if person.ID == "" || asRefusal(why).status >= http.StatusInternalServerError || !c.failures.Permit(person.ID, now) {
		return
	}
	c.failed(wire.FailedSignIn{Person: person, Portal: portal, Address: browserAddress(r), At: now.UTC()})
}
