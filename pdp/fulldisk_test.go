package pdp

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/disktest"
	"github.com/menshen-zt/menshen/internal/reason"
)

// TestAFullDiskClosesEveryPortalUntilThereIsRoom has a disk of its own filled
// under a whole PDP: what cannot be recorded is not decided (requirements 23).
func TestAFullDiskClosesEveryPortalUntilThereIsRoom(t *testing.T) {
	disktest.Run(t, 48<<20, func(t *testing.T, disk string) {
		f := startFlooded(t, func(c *Config) { c.Data = filepath.Join(disk, "data") })
		l := loadOf{Proxies: f.config.Proxies.Listen, Secret: f.secret, Cookie: f.cookie}
		ask := func() (int, string) {
			status, header, err := l.asks(t.Context(), peer(1), "/forward-auth")
			must(t, err)
			return status, header.Get("Menshen-Reason")
		}
		if status, why := ask(); status != http.StatusOK {
			t.Fatal(status, why)
		}
		free := disktest.Fill(t, disk)
		f.until("a refusal", func() bool {
			f.sessions.PolicyChanged() // each answer has to be decided, and so recorded, anew
			status, why := ask()
			return status == http.StatusForbidden && why == reason.AuditClosed
		})
		f.until("not ready", func() bool { ok, body := f.ready(); return !ok && strings.Contains(body, reason.AuditNotDurable) })
		free()
		f.until("an answer again", func() bool { status, _ := ask(); return status == http.StatusOK })
		f.until("readiness", func() bool { ok, _ := f.ready(); return ok })
	})
}
