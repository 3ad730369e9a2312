package pdp

import (
	"errors"
	"net/http"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// TestAdministratorsSetRules by the real socket: what they set is what the next
// question is judged by.
func TestAdministratorsSetRules(t *testing.T) {
	c := newCertified(t)
	listener, err := admin.Listen(c.pdp.config.Admin.Socket, false)
	if err != nil {
		t.Fatal(err)
	}
	server := c.pdp.admin.Server()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	by := client.New(c.pdp.config.Admin.Socket, reason.English)
	files := map[string]string{}
	for name, text := range exampleFiles(t) {
		files[name] = string(text)
	}

	shown, err := by.Application(t.Context(), c.portal.ID)
	if err != nil || shown.Number != 1 || shown.Policies != 6 || shown.Entities != 4 || shown.Files["policies.cedar"] != files["policies.cedar"] {
		t.Fatalf("%+v, %v", shown, err)
	}
	c.decides(aliceReads, true)
	files["policies.cedar"] = `@id("none") forbid (principal, action, resource);`
	checked, err := by.ValidateApplication(t.Context(), files)
	if err != nil || checked.Policies != 1 || checked.Number != 0 {
		t.Fatalf("%+v, %v", checked, err)
	}
	c.decides(aliceReads, true)
	set, err := by.SetApplication(t.Context(), c.portal.ID, files)
	if err != nil || set.Number != 2 || set.Version != checked.Version || set.SetBy == "" {
		t.Fatalf("%+v, %v", set, err)
	}
	c.decides(aliceReads, false)
	files["policies.cedar"] = "@id(\"a\")\npermit (principal action, resource);"
	var told *client.Problem
	if _, err := by.SetApplication(t.Context(), c.portal.ID, files); !errors.As(err, &told) || told.Document == nil ||
		told.Document.Status != http.StatusBadRequest || told.Document.Code != reason.CfgApplication {
		t.Errorf("%v", err)
	}
	if gone, err := by.RemoveApplication(t.Context(), c.portal.ID); err != nil || gone.Number != 2 {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := by.Application(t.Context(), c.portal.ID); !errors.As(err, &told) || told.Document == nil || told.Document.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	c.decides(aliceReads, false)
}
