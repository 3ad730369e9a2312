package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// ApplicationFiles are an application's schema, entities and policies by file
// name.
type ApplicationFiles struct {
	Files map[string]string `json:"files"`
}

// Application is what a portal's application is judged by.
type Application struct {
	// Version is SHA-256 over the files, shortened; empty where they are Broken.
	Version  string `json:"version"`
	Policies int    `json:"policies"`
	Entities int    `json:"entities"`
	// Number counts the portal's applications; 0 for one that is not kept.
	Number int       `json:"number,omitempty"`
	SetAt  time.Time `json:"set_at,omitzero"`
	SetBy  string    `json:"set_by,omitempty"`
	// Broken says that the files can be loaded no more: everything is refused.
	Broken bool `json:"broken,omitempty"`
	// Files are told where they were asked for.
	Files map[string]string `json:"files,omitempty"`
}

// Application shows a portal's application with its files.
func (c *Client) Application(ctx context.Context, portalID string) (Application, error) {
	return call[Application](ctx, c, http.MethodGet, application(portalID, ""), nil)
}

// ValidateApplication asks whether files could be an application.
func (c *Client) ValidateApplication(ctx context.Context, files map[string]string) (Application, error) {
	return call[Application](ctx, c, http.MethodPost, "/v1/application/validate", ApplicationFiles{files})
}

// SetApplication lets files be a portal's application.
func (c *Client) SetApplication(ctx context.Context, portalID string, files map[string]string) (Application, error) {
	return call[Application](ctx, c, http.MethodPost, application(portalID, ""), ApplicationFiles{files})
}

// RemoveApplication takes a portal's application away.
func (c *Client) RemoveApplication(ctx context.Context, portalID string) (Application, error) {
	return call[Application](ctx, c, http.MethodPost, application(portalID, "/remove"), struct{}{})
}

func application(portalID, verb string) string {
	return "/v1/portals/" + url.PathEscape(portalID) + "/application" + verb
}
