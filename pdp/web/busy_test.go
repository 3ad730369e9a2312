package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/web"
)

type busy struct{}

func (busy) Error() string       { return "busy" }
func (busy) Status() int         { return http.StatusServiceUnavailable }
func (busy) Reason() wire.Reason { return reason.New(reason.PersonalBusy) }

// TestABusyPageSaysWhenToComeAgain, and writes nothing to the log: who asks too
// often must not fill it.
func TestABusyPageSaysWhenToComeAgain(t *testing.T) {
	var logged strings.Builder
	site, err := web.New(web.Config{
		Origin: "https://pdp.test", AgentPort: 8642, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Describe: func(context.Context, string) (wire.SignInPage, error) { return wire.SignInPage{}, nil },
		Personal: func(context.Context, *http.Request) (wire.Personal, bool, error) {
			return wire.Personal{}, true, busy{}
		},
	})
	must(t, err)
	answer := httptest.NewRecorder()
	site.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/me", nil))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), reason.PersonalBusy) {
		t.Errorf("%d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	if logged.Len() > 0 {
		t.Error(logged.String())
	}
}
