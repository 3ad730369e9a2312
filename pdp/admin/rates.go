package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// showRates answers GET /v1/decisions/rates?by=…&agency=…&since=….
func (a *Admin) showRates(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	by := wire.RatesBy(v.Get("by"))
	switch by {
	case wire.RatesByAgency, wire.RatesByGroup, wire.RatesByShift, wire.RatesByPortal:
	default:
		a.fail(w, r, r.URL.RawQuery, badQuery{"by must be agency, group, shift or portal"})
		return
	}
	since, err := time.Parse(time.RFC3339, v.Get("since"))
	if err != nil {
		a.fail(w, r, r.URL.RawQuery, badQuery{"since must be a time (RFC 3339)"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchTime)
	defer cancel()
	out, err := a.Decisions.Rates(ctx, by, v.Get("agency"), since)
	out.Rows = listed(out.Rows)
	answer(a, w, r, "rates", out, err)
}
